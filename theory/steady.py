"""Errors at all generations of a recursion that stays the same, through traces, whose cost hardly depends on the entities.

With weights that are constant and a pool that all entities read, the state of generation t is a linear function of few d × d
matrices that follow recursions of their own:

    S_{t+1} = I + H S_t,  E_{t+1} = H E_t                    L_j(t) = S_t B_j + E_t B⁰_j
    C_{t+1} = W + H C_t                                      C_t = Cov(s_t, x)
    V_{t+1} = H (V_t' H' + 2 C_t) + W + N                    Cov(s_t) = (V_t + V_t')/2, all that errors need of V_t

with x = Σ_j B_j u_j + B_* u_* what every generation adds to the state, B⁰ the same at generation 0, and W = Cov(x). The mean
squared error of an entity is a linear functional of S_t, E_t and V_t: O(K d²) operations per generation, where the covariances
of all entities take O(K d³). All are columns of one matrix: for few features, a call costs more than its product.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from crossfeed.formulas.arrays import unless_cancelled
from crossfeed.formulas.biases import NEGLIGIBLE_BIAS
from crossfeed.formulas.ecosystem import Ecosystem
from crossfeed.formulas.estimators import Fit
from crossfeed.formulas.state_space import Exchange, Transition, transition


def steady_mse(
    shared: Exchange, first: Fit, later: Fit, step: Transition, generations: int
) -> Float[Array, "generation entity"]:
    """Mean squared error of every entity at generations 1..T, for an ecosystem with one channel.

    NaN where it depends on a truth that is not known, as that of `mse` while traced.

    Args:
        shared: the ecosystem and its pool.
        first: the estimates of generation 0.
        later: those of all later generations, which carry nothing.
        step: the transition of generations that fit like this.
        generations: T, at least 1.
    """
    ecosystem, start = shared.ecosystem, transition(shared, first)
    fresh = _covariance(ecosystem, step, step)
    read = (later.synthetic_weight * shared.read[:, 0])[:, None, None]
    squared = later.gain @ later.gain
    private, public = later.private_weight[:, None, None], later.public_weight[:, None, None]
    own, common = ecosystem.private.moment_covariance, ecosystem.public.moment_covariance[None]
    real = (squared * (private**2 * own + public**2 * common)).sum((1, 2))

    def crossed(maps: Transition) -> Float[Array, "entity d d"]:
        return 2 * read * (squared @ (private * own @ maps.private.mT + public * common @ maps.public.T[None]))

    size, added = ecosystem.dimension, _mean(ecosystem, step)
    identity, zero = jnp.eye(size), jnp.zeros((size, size))
    # V, S and E, which the errors depend on, then C and the means.
    first_covariance = _covariance(ecosystem, start, start) + start.noise
    begin = (first_covariance, zero, identity, _covariance(ecosystem, start, step), _mean(ecosystem, start))
    each = (fresh + step.noise, identity, zero, fresh, added)
    moments, more = (jnp.concatenate(matrices, axis=1) for matrices in (begin, each))
    read_of = (read**2 * squared, crossed(step), crossed(start))
    # Padded with zeros, because a slice of the moments would be copied in every generation.
    functional = jnp.concatenate([*read_of, jnp.zeros((len(read), size, moments.shape[1] - 3 * size))], axis=2)
    functional, feedback = functional.reshape(len(read), -1), step.feedback

    def generation(
        now: Float[Array, "d columns"], _: None
    ) -> tuple[Float[Array, "d columns"], tuple[Float[Array, " entity"], Float[Array, " entity"], Float[Array, "d n"]]]:
        moved, law = feedback @ now, now.ravel()
        first = feedback @ (moved[:, :size].T + 2 * now[:, 3 * size : 4 * size])
        after = jnp.concatenate([first, moved[:, size:]], axis=1) + more
        return after, (functional @ law, jnp.abs(functional) @ jnp.abs(law), now[:, 4 * size :])

    # Two generations per step save a twentieth of the time for few features.
    spreads, sizes, means = jax.lax.scan(generation, moments, length=generations, unroll=2)[1]
    return unless_cancelled(real[None] + spreads, real[None] + sizes) + _squared_bias(shared, later, means)


def _covariance(ecosystem: Ecosystem, one: Transition, other: Transition) -> Float[Array, "d d"]:
    """Covariance of what two generations add to the state, due to the moments of the real data."""
    own, common = ecosystem.private.moment_covariance, ecosystem.public.moment_covariance
    return jnp.einsum("jab,jcb->ac", one.private @ own, other.private) + one.public @ common @ other.public.T


def _mean(ecosystem: Ecosystem, step: Transition) -> Float[Array, "d n"]:
    """Mean of what a generation adds to the state; as a map of the truth, where that is not known."""
    if (truth := ecosystem.public.truth) is None:
        return step.truth
    moments = jnp.einsum("jab,jb->ja", ecosystem.private.gram, ecosystem.deviations)
    return (step.truth @ truth + jnp.einsum("jab,jb->a", step.private, moments))[:, None]


def _squared_bias(
    shared: Exchange, fitted: Fit, means: Float[Array, "generation d n"]
) -> Float[Array, "generation entity"]:
    ecosystem = shared.ecosystem
    read = (fitted.synthetic_weight * shared.read[:, 0])[:, None, None] * fitted.gain
    if (truth := ecosystem.public.truth) is None:
        # ‖A F - U‖² of the bias map, of which at least the first and last term are zero where there is no bias.
        produced = jnp.einsum("kab,kac,tbd,tcd->tk", read, read, means, means)
        crossed = jnp.einsum("kba,kbc,tac->tk", read, fitted.unseen_or_zero, means)
        squared = produced - 2 * crossed + (fitted.unseen_or_zero**2).sum((1, 2))[None]
        return jnp.where(squared > NEGLIGIBLE_BIAS**2, jnp.nan, 0.0)
    moments = jnp.einsum("kab,kb->ka", ecosystem.private.gram, ecosystem.deviations)
    own = fitted.private_weight[:, None] * jnp.einsum("kab,kb->ka", fitted.gain, moments)
    offset = (
        jnp.einsum("kab,tb->tka", read, means[..., 0])
        + (own - fitted.unseen_or_zero @ truth - ecosystem.deviations)[None]
    )
    return (offset**2).sum(2)
