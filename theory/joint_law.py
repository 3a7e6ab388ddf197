"""The joint law of all estimates at all generations: what likelihoods of observed generations need."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from crossfeed.formulas.biases import mean_error
from crossfeed.formulas.law import Law
from crossfeed.formulas.state_space import transition
from crossfeed.formulas.workflow import PAPER, Workflow

from .consensus import trajectory
from .eager import any_nan, as_one_program
from .ecosystem import Ecosystem
from .weights import Weights


class JointLaw(eqx.Module):
    """Mean and covariance of the Gaussian law of all estimates at generations 0..T.

    Attributes:
        mean_error: E[θ̂_{t,k}] - θ_*, in units of θ.
        covariance: Cov(θ̂_{s,k}, θ̂_{t,l}), in squared units of θ.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import JointLaw, Weights, joint_law, symmetric_ecosystem
        >>> isinstance(joint_law(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 0.5), 1), JointLaw)
        True
    """

    mean_error: Float[Array, "generation entity d"]
    covariance: Float[Array, "generation generation entity entity d d"]


class _Parts(eqx.Module):
    """What of the law of one generation decides how it depends on the others."""

    from_state: Float[Array, "... entity d state"]
    from_private: Float[Array, "... entity dataset d d"]
    from_public: Float[Array, "... entity d d"]
    sampling_covariance: Float[Array, "... state state"]
    feedback: Float[Array, "... state state"]


@as_one_program(any_nan)
def joint_law(ecosystem: Ecosystem, weights: Weights, generations: int, workflow: Workflow = PAPER) -> JointLaw:
    """Joint law of all estimates at generations 0..T (Theorem 1, with the covariances between generations).

    The real data are the same at all generations, and the noise of published labels stays in all later estimates. Takes memory
    for (T+1)² K² d² numbers.

    Args:
        ecosystem: with K entities and d features.
        weights: weights of all entities and generations.
        generations: T, at least 0.
        workflow: estimator, pool and memory; the paper's if not given.

    Raises:
        InvalidInput: T is negative, or the shape of the weights does not fit K or T.
        DependsOnTheta: an estimate is biased at generation 0, and the ecosystem has no truth.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Weights, joint_law, symmetric_ecosystem
        >>> law = joint_law(symmetric_ecosystem(2, jnp.eye(3)), Weights(0.5, 0.5), 4)
        >>> print(law.covariance.shape, f"{law.covariance[1, 4, 0, 1, 0, 0]:.4f}")
        (5, 5, 2, 2, 3, 3) 0.3594
    """
    parts, errors = trajectory(ecosystem, weights, generations, lambda law: (_parts(law), mean_error(law)), workflow)
    private = jnp.einsum(
        "skjab,jbc,tljdc->stklad", parts.from_private, ecosystem.private.moment_covariance, parts.from_private
    )
    public = jnp.einsum(
        "skab,bc,tldc->stklad", parts.from_public, ecosystem.public.moment_covariance, parts.from_public
    )

    def generation(
        with_earlier: Float[Array, "generation state state"], now: tuple[_Parts, Int[Array, ""]]
    ) -> tuple[Float[Array, "generation state state"], Float[Array, "generation entity entity d d"]]:
        part, number = now
        with_earlier = with_earlier.at[number].set(part.sampling_covariance)
        shared = jnp.einsum("skab,sbc,ldc->sklad", parts.from_state, with_earlier, part.from_state)
        return with_earlier @ part.feedback.T, shared

    start = jnp.zeros_like(parts.sampling_covariance)
    count = jnp.arange(generations + 1)
    sampling = jax.lax.scan(generation, start, (parts, count))[1].swapaxes(
        0, 1
    )  # zero for the earlier generation second
    earlier = (count[:, None] < count[None])[..., None, None, None, None]
    both_ways = sampling + jnp.where(earlier, sampling, 0).transpose(1, 0, 3, 2, 5, 4)
    return JointLaw(errors, private + public + both_ways)


def _parts(law: Law) -> _Parts:
    entities = jnp.arange(law.ecosystem.entities)
    private = jnp.einsum("kas,jsb->kjab", law.from_state, law.state.from_private)
    return _Parts(
        law.from_state,
        private.at[entities, entities].add(law.from_own),
        law.from_public + law.from_state @ law.state.from_public,
        law.state.sampling_covariance,
        transition(law.exchange, law.fit).feedback,
    )
