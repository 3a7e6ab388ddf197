"""Lifted form: the paper's formulas with Kd × Kd matrices as printed, apart from corrected misprints.

The reference for all other code. Slow on purpose, since it shares nothing with the consensus form. Shares may be
unequal, with w_k where the paper has 1/K, and entities may differ in α and β.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from crossfeed.formulas.estimators import GradientSteps, Ridge
from crossfeed.formulas.linear_algebra import pseudo_inverse
from crossfeed.formulas.workflow import Workflow

from .ecosystem import Ecosystem
from .weights import Weights


class Operators(eqx.Module):
    """Matrices of the recursion at one generation (§5, equation 4).

    Attributes:
        gram: G_t, the Gram matrix that all entities' estimators invert.
        real: P_t, the map from each real dataset's own estimate to the estimates.
        recursive: Q_t, the map from the previous estimates to the estimates.
    """

    gram: Float[Array, "Kd Kd"]
    real: Float[Array, "Kd K1d"]
    recursive: Float[Array, "Kd Kd"]


class LiftedLaw(eqx.Module):
    """Conditional law of all estimates θ̂_t given the initial data (Theorem 1).

    Attributes:
        mean_map: M_t; the mean is M_t [X~⁺ỹ; X_*⁺y_*].
        conditional_covariance: C_t, the covariance.
    """

    mean_map: Float[Array, "... Kd K1d"]
    conditional_covariance: Float[Array, "... Kd Kd"]


def block_diagonal(blocks: Float[Array, "entity d d"]) -> Float[Array, "Kd Kd"]:
    """Block-diagonal matrix diag(A_1, …, A_K)."""
    return jax.scipy.linalg.block_diag(*blocks)


def operators(ecosystem: Ecosystem, alpha: Float[Array, " entity"], beta: Float[Array, " entity"]) -> Operators:
    """Matrices G_t, P_t and Q_t for the weights of one generation (§5).

    Args:
        ecosystem: the ecosystem.
        alpha: α_k in [0, 1].
        beta: β_k in [0, 1].
    """
    entities, size = ecosystem.entities, ecosystem.dimension
    identity = jnp.eye(size)

    def weight(values: Float[Array, " entity"]) -> Float[Array, "Kd Kd"]:
        return jnp.kron(jnp.diag(values), identity)

    private = block_diagonal(ecosystem.private.gram)
    synthetic = block_diagonal(ecosystem.synthetic.gram)
    averaging = jnp.kron(jnp.outer(jnp.ones(entities), ecosystem.shares), identity)  # Π if shares are equal
    pool = jnp.kron(jnp.eye(entities), jnp.einsum("k,kij->ij", ecosystem.shares, ecosystem.synthetic.gram))
    public = jnp.kron(jnp.eye(entities), ecosystem.public.gram)
    gram = weight((1 - alpha) * beta) @ private + weight((1 - alpha) * (1 - beta)) @ public + weight(alpha) @ pool
    inverse = pseudo_inverse(gram)
    stacked_public = jnp.kron(jnp.ones((entities, 1)), ecosystem.public.gram)
    real = inverse @ jnp.hstack(
        [weight((1 - alpha) * beta) @ private, weight((1 - alpha) * (1 - beta)) @ stacked_public]
    )
    return Operators(gram, real, inverse @ weight(alpha) @ averaging @ synthetic)


def trajectory(ecosystem: Ecosystem, weights: Weights, generations: int) -> LiftedLaw:
    """Matrices M_t and C_t at generations 0..T, by the recursion of Theorem 1.

    Args:
        ecosystem: the ecosystem.
        weights: weights of all entities and generations.
        generations: T, at least 0.

    Returns:
        The conditional laws, with a leading axis of length T+1.

    Raises:
        InvalidInput: T is negative, or the shape of the weights does not fit K or T.
    """
    entities = ecosystem.entities
    noise = _label_noise(ecosystem)

    def step(
        law: LiftedLaw, weights_now: tuple[Float[Array, " entity"], Float[Array, " entity"]]
    ) -> tuple[LiftedLaw, LiftedLaw]:
        now = operators(ecosystem, *weights_now)
        mean_map = now.real + now.recursive @ law.mean_map
        covariance = now.recursive @ (noise + law.conditional_covariance) @ now.recursive.T
        law = LiftedLaw(mean_map, covariance)
        return law, law

    size = entities * ecosystem.dimension
    start = LiftedLaw(jnp.zeros((size, size + ecosystem.dimension)), jnp.zeros((size, size)))
    return jax.lax.scan(step, start, weights.per_generation(entities, generations))[1]


def limit(ecosystem: Ecosystem, weights: Weights) -> LiftedLaw:
    """Limits of M_t by equation (1), and of C_t by equation (2): vec(C) = σ² (I - Q⊗Q)⁻¹ vec(Q S⁺ Qᵀ) (Theorem 3).

    Meaningful for ρ(Q) < 1 only, which is not checked. Takes memory for (Kd)⁴ numbers.

    Args:
        ecosystem: the ecosystem.
        weights: weights that are constant over generations, of shape () or (K).

    Raises:
        InvalidInput: the weights change between generations, or their shape does not fit K.
    """
    now = operators(ecosystem, *weights.per_entity(ecosystem.entities))
    recursive = now.recursive
    size = recursive.shape[0]
    source = recursive @ _label_noise(ecosystem) @ recursive.T
    covariance = jnp.linalg.solve(jnp.eye(size**2) - jnp.kron(recursive, recursive), source.ravel())
    return LiftedLaw(jnp.linalg.solve(jnp.eye(size) - recursive, now.real), covariance.reshape(size, size))


def covariance(ecosystem: Ecosystem, law: LiftedLaw) -> Float[Array, "... Kd Kd"]:
    """Covariance of all estimates, σ² M_t diag(S~⁺, S_*⁺) M_tᵀ + C_t (Theorems 2 and 3), in squared units of θ."""
    private = ecosystem.private.noise_variance[:, None, None] * pseudo_inverse(ecosystem.private.gram)
    public = ecosystem.public.noise_variance * pseudo_inverse(ecosystem.public.gram)
    initial = jax.scipy.linalg.block_diag(*private, public)
    return law.mean_map @ initial @ law.mean_map.mT + law.conditional_covariance


def bias_map(ecosystem: Ecosystem, weights: Weights, generations: int) -> Float[Array, "generation Kd d"]:
    """Bias E[θ̂_t] - 1_K ⊗ θ at generations 0..T as a map of θ, -Q_t ⋯ Q_1 (I - G_0⁺G_0)(1_K ⊗ I) (Theorem 2).

    Holds where G_1, …, G_T have full rank, which is not checked.

    Args:
        ecosystem: the ecosystem.
        weights: weights of all entities and generations.
        generations: T, at least 0.

    Raises:
        InvalidInput: T is negative, or the shape of the weights does not fit K or T.
    """
    entities = ecosystem.entities
    alpha, beta = weights.per_generation(entities, generations)
    first = operators(ecosystem, alpha[0], beta[0]).gram
    unseen = jnp.eye(first.shape[0]) - pseudo_inverse(first) @ first
    start = -unseen @ jnp.kron(jnp.ones((entities, 1)), jnp.eye(ecosystem.dimension))

    def step(
        bias: Float[Array, "Kd d"], weights_now: tuple[Float[Array, " entity"], Float[Array, " entity"]]
    ) -> tuple[Float[Array, "Kd d"], Float[Array, "Kd d"]]:
        bias = operators(ecosystem, *weights_now).recursive @ bias
        return bias, bias

    return jnp.concatenate([start[None], jax.lax.scan(step, start, (alpha[1:], beta[1:]))[1]])


def _label_noise(ecosystem: Ecosystem) -> Float[Array, "Kd Kd"]:
    """σ² S⁺, the covariance of the least-squares estimates from all published labels, given what their authors believe."""
    return block_diagonal(ecosystem.synthetic.noise_variance[:, None, None] * pseudo_inverse(ecosystem.synthetic.gram))


class Moments(eqx.Module):
    """First and second moments of all estimates, at generations 0..T.

    Attributes:
        mean: E[θ̂_t].
        covariance: Cov(θ̂_t).
    """

    mean: Float[Array, "generation Kd"]
    covariance: Float[Array, "generation Kd Kd"]


def any_workflow(ecosystem: Ecosystem, weights: Weights, generations: int, workflow: Workflow) -> Moments:
    """Moments of all estimates in any workflow, by the recursion of everything at once: estimates, channels and real moments.

    Takes (2K + C + 1) d × (2K + C + 1) d matrices. The truths of the data are taken as zero where they are not given.

    Args:
        ecosystem: the ecosystem.
        weights: weights of all entities and generations.
        generations: T, at least 0.
        workflow: estimator, pool and memory, each one of ours.
    """
    entities, size = ecosystem.entities, ecosystem.dimension
    write, read = workflow.pool.write(ecosystem), workflow.pool.read(ecosystem)
    identity, fresh = jnp.eye(size), workflow.pool.fresh
    moments = [*ecosystem.private.moment_covariance, ecosystem.public.moment_covariance]
    truths = jnp.zeros((entities + 1, size))
    if ecosystem.private.truth is not None and ecosystem.public.truth is not None:
        truths = jnp.concatenate([ecosystem.private.truth, ecosystem.public.truth[None]])
    grams = jnp.concatenate([ecosystem.private.gram, ecosystem.public.gram[None]])
    synthetic = block_diagonal(ecosystem.synthetic.gram)
    into = jnp.kron(write, identity) @ synthetic
    noise = (1 - fresh) * ecosystem.synthetic.noise_variance + fresh * ecosystem.public.noise_variance
    spread = jnp.kron(write, identity) @ block_diagonal(noise[:, None, None] * ecosystem.synthetic.gram)
    spread = spread @ jnp.kron(write, identity).T
    human = fresh * into @ jnp.tile(truths[-1], entities)
    first, last = entities * size, entities * size + len(into)
    total = last + (entities + 1) * size
    estimates, channels, real = slice(0, first), slice(first, last), slice(last, None)
    mean = jnp.zeros(total).at[real].set(jnp.einsum("jab,jb->ja", grams, truths).ravel())
    covariance = jnp.zeros((total, total)).at[real, real].set(jax.scipy.linalg.block_diag(*moments))
    alphas, betas = weights.per_generation(entities, generations)
    means, covariances, held = [], [], jnp.zeros(())
    for generation in range(generations + 1):
        if generation:
            publish = jnp.eye(total).at[channels, channels].multiply(workflow.memory.kept)
            publish = publish.at[channels, estimates].set((1 - fresh) * into)
            mean = (publish @ mean).at[channels].add(human)
            covariance = (publish @ covariance @ publish.T).at[channels, channels].add(spread)
            held = workflow.memory.kept * held + 1
        maps = _estimates(
            ecosystem, workflow, alphas[generation], betas[generation], held * (read @ write), generation == 0
        )
        gain, carry = block_diagonal(maps[0]), block_diagonal(maps[1])
        alpha, beta = alphas[generation], betas[generation]
        of_private = jnp.kron(jnp.diag((1 - alpha) * beta), identity)
        of_public = jnp.kron(((1 - alpha) * (1 - beta))[:, None], identity)
        learn = jnp.eye(total).at[estimates, estimates].set(carry)
        learn = learn.at[estimates, channels].set(gain @ jnp.kron(alpha[:, None] * read, identity))
        learn = learn.at[estimates, real].set(gain @ jnp.hstack([of_private, of_public]))
        mean, covariance = learn @ mean, learn @ covariance @ learn.T
        means.append(mean[estimates])
        covariances.append(covariance[estimates, estimates])
    return Moments(jnp.stack(means), jnp.stack(covariances))


def _estimates(
    ecosystem: Ecosystem,
    workflow: Workflow,
    alpha: Float[Array, " entity"],
    beta: Float[Array, " entity"],
    readers: Float[Array, "entity entity"],
    first: bool,
) -> tuple[Float[Array, "entity d d"], Float[Array, "entity d d"]]:
    """Maps of each entity's weighted moment and of its previous estimate, as the definitions of the estimators have them."""
    pool = jnp.einsum("kj,jab->kab", readers, ecosystem.synthetic.gram)
    real = beta[:, None, None] * ecosystem.private.gram + (1 - beta)[:, None, None] * ecosystem.public.gram[None]
    gram = (1 - alpha)[:, None, None] * real + alpha[:, None, None] * pool
    identity = jnp.eye(ecosystem.dimension)
    nothing = jnp.zeros_like(gram)
    if isinstance(workflow.estimator, Ridge):
        return jnp.linalg.inv(gram + workflow.estimator.penalty * identity[None]), nothing
    if isinstance(workflow.estimator, GradientSteps) and not first:
        gain, carry = nothing, jnp.broadcast_to(identity, gram.shape)
        for _ in range(workflow.estimator.steps):
            step = identity[None] - workflow.estimator.rate * gram
            gain, carry = step @ gain + workflow.estimator.rate * identity[None], step @ carry
        return gain, carry
    return pseudo_inverse(gram), nothing
