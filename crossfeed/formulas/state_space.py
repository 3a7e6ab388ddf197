"""The recursion of recursive training as a linear state-space model, for any estimator, pool and memory (`docs/theory.md`).

Everything is written in errors: θ̂ - θ_* for an estimate, X'y - X'X θ_* for a moment, with θ_* the truth of the public data.
Entities meet in channels of a pool. Channel c holds the moment z_c of what has been published, d numbers each; an
estimator that starts from its previous estimate adds these K d numbers to the state. With u the moments of the real data,

    e_{t,k} = gain_k (p_k u_k + q_k u_* + α_k Σ_c read[k, c] z_{t,c}) + carry_k e_{t-1,k} - unseen_k θ_*
    z_{t+1,c} = kept z_{t,c} + Σ_j write[c, j] ((1 - f) S_j e_{t,j} + n_{t,j}),      n_{t,j} ~ N(0, S_j ((1-f) σ_j² + f σ_*²))
"""

from functools import singledispatch
from typing import NamedTuple

from .arrays import einsum, namespace
from .ecosystem import Ecosystem
from .estimators import Fit, fit
from .kernels import training_kernels
from .linear_algebra import RANK_TOLERANCE, product
from .shapes import Array, Float, Scalar
from .workflow import Workflow


class State(NamedTuple):
    """Law of what entities read at one generation: s = Σ_j L_j u_j + L_* u_* + F θ_* + ζ.

    The first C d of its numbers are the moments of the channels, the others previous estimates, if the estimator carries them.

    Attributes:
        from_private: L_j, the maps of the moments of the private data.
        from_public: L_*, the map of the moment of the public data.
        from_truth: F, zero as long as no published label is biased.
        sampling_covariance: Cov(ζ), due to the noise of all published labels so far.
    """

    from_private: Float[Array, "entity state d"]
    from_public: Float[Array, "state d"]
    from_truth: Float[Array, "state d"]
    sampling_covariance: Float[Array, "state state"]


class Exchange(NamedTuple):
    """What the workflow makes of the ecosystem, whatever the weights.

    Attributes:
        ecosystem: the ecosystem.
        write: weight of the data of every entity in every channel.
        read: weight of every channel in what every entity reads.
        kept: factor of the memory.
        fresh: fraction of published rows with human labels.
        pool_gram: Gram matrix of what each entity reads of one generation's pool.
        channel_noise: covariance of the channels' moments that is due to the label noise of one generation.
    """

    ecosystem: Ecosystem
    write: Float[Array, "channel entity"]
    read: Float[Array, "entity channel"]
    kept: Scalar
    fresh: Scalar
    pool_gram: Float[Array, "entity d d"]
    channel_noise: Float[Array, "channels channels"]


def exchange(ecosystem: Ecosystem, workflow: Workflow) -> Exchange:
    """What of the workflow does not depend on the weights."""
    write, read = workflow.pool.write(ecosystem), workflow.pool.read(ecosystem)
    fresh = workflow.pool.fresh
    channels = einsum("cj,jab->cab", write, ecosystem.synthetic.gram)
    noise = (1 - fresh) * ecosystem.synthetic.noise_variance + fresh * ecosystem.public.noise_variance
    joint = einsum("cj,ej,j,jab->caeb", write, write, noise, ecosystem.synthetic.gram)
    size = len(write) * ecosystem.dimension
    return Exchange(
        ecosystem,
        write,
        read,
        workflow.memory.kept,
        fresh,
        einsum("kc,cab->kab", read, channels),
        joint.reshape(size, size),
    )


def fit_entities(
    workflow: Workflow,
    shared: Exchange,
    alpha: Float[Array, " entity"],
    beta: Float[Array, " entity"],
    pools: Scalar,
    first: bool = False,
) -> Fit:
    """Estimates of all entities for the weights of one generation.

    Args:
        workflow: the workflow, of which the estimator is used.
        shared: the ecosystem and the pool.
        alpha: α_k in [0, 1].
        beta: β_k in [0, 1].
        pools: Σ_s keptˢ over the pools so far: how many times one generation's Gram matrix the memory holds.
        first: whether this is generation 0.
    """
    xp, estimator = namespace(alpha), workflow.estimator
    weights = xp.stack([(1 - alpha) * beta, (1 - alpha) * (1 - beta), alpha], axis=1)
    ecosystem = shared.ecosystem
    used = estimator.first if first else estimator
    grams = (ecosystem.private.gram, ecosystem.public.gram, shared.pool_gram)
    kernels = training_kernels(*grams, weights) if used.uses_kernel else xp.zeros_like(grams[0])
    fitted = fit(used, (*grams[:2], pools * shared.pool_gram), weights, kernels)
    if fitted.carry is None and estimator.carries:  # generation 0 carries nothing, but the state has room for it
        return fitted._replace(carry=xp.zeros_like(fitted.gain))
    return fitted


def nothing_published(workflow: Workflow, shared: Exchange) -> State:
    """The state of generation 0."""
    entities, size = shared.ecosystem.entities, shared.ecosystem.dimension
    states = (len(shared.write) + (entities if workflow.estimator.carries else 0)) * size
    xp = namespace(shared.ecosystem.shares)
    empty = xp.zeros((states, size))
    return State(xp.zeros((entities, states, size)), empty, empty, xp.zeros((states, states)))


class Transition(NamedTuple):
    """One generation of the state: s' = feedback @ s + Σ_j private_j u_j + public u_* + truth θ_* + n, n ~ N(0, noise)."""

    feedback: Float[Array, "state state"]
    private: Float[Array, "entity state d"]
    public: Float[Array, "state d"]
    truth: Float[Array, "state d"]
    noise: Float[Array, "state state"]


def transition(shared: Exchange, fitted: Fit) -> Transition:
    """The recursion's matrices for entities that fit like this and then publish."""
    channels, size, xp = len(shared.write), shared.ecosystem.dimension, namespace(fitted.gain)
    model = (1 - shared.fresh) * shared.ecosystem.synthetic.gram
    published = product(model, fitted.gain)
    feedback = einsum("cj,j,je,jab->caeb", shared.write, fitted.synthetic_weight, shared.read, published)
    feedback = feedback.reshape(channels * size, channels * size) + shared.kept * xp.eye(channels * size)
    private = einsum("cj,j,jab->jcab", shared.write, fitted.private_weight, published)
    public = einsum("cj,j,jab->cab", shared.write, fitted.public_weight, published)
    truth = xp.zeros((channels * size, size))
    if fitted.unseen is not None:
        truth = -einsum("cj,jab->cab", shared.write, published_bias(model, fitted.unseen))
    of_channels = Transition(
        feedback,
        private.reshape(len(private), -1, size),
        public.reshape(-1, size),
        truth.reshape(-1, size),
        shared.channel_noise,
    )
    return of_channels if fitted.carry is None else _with_estimates(shared, fitted, of_channels, model)


_PerEntity = Float[Array, "*batch entity d d"]


@singledispatch
def published_bias(model: _PerEntity, unseen: _PerEntity) -> _PerEntity:
    """What published labels miss of the truth: model @ unseen, which costs nothing where no entity has a kernel."""
    return missed(model, unseen) if (unseen != 0).any() else namespace(unseen).zeros_like(unseen)


def missed(model: _PerEntity, unseen: _PerEntity) -> _PerEntity:
    """What published labels miss of the truth."""
    xp = namespace(model)
    labels = model @ unseen
    # Most entities have data on all directions they publish labels for; the rounding left there must not count as bias.
    norms = [xp.sqrt((matrices**2).sum((-2, -1), keepdims=True)) for matrices in (labels, model)]
    return xp.where(norms[0] <= RANK_TOLERANCE * norms[1], 0, labels)


def _with_estimates(
    shared: Exchange, fitted: Fit, channels: Transition, model: Float[Array, "entity d d"]
) -> Transition:
    """The state with all estimates behind the channels: what carries from one to the next is published too."""
    assert fitted.carry is not None
    xp, (entities, size) = namespace(model), model.shape[:2]
    everyone = xp.eye(entities)
    read = einsum("k,kc,kab->kacb", fitted.synthetic_weight, shared.read, fitted.gain)
    carry = einsum("kl,kab->kalb", everyone, fitted.carry).reshape(entities * size, -1)
    carried = einsum("cj,jab->cajb", shared.write, model @ fitted.carry).reshape(-1, entities * size)
    own = einsum("kl,k,kab->lkab", everyone, fitted.private_weight, fitted.gain)
    common = fitted.public_weight[:, None, None] * fitted.gain
    total = len(channels.feedback) + entities * size
    noise = xp.pad(channels.noise, (0, total - len(channels.noise)))
    return Transition(
        xp.block([[channels.feedback, carried], [read.reshape(entities * size, -1), carry]]),
        xp.concatenate([channels.private, own.reshape(entities, -1, size)], axis=1),
        xp.concatenate([channels.public, common.reshape(-1, size)]),
        xp.concatenate([channels.truth, -fitted.unseen_or_zero.reshape(-1, size)]),
        noise,
    )


def advance(step: Transition, state: State) -> State:
    """The state of the next generation."""
    return State(
        step.private + step.feedback @ state.from_private,
        step.public + step.feedback @ state.from_public,
        step.truth + step.feedback @ state.from_truth,
        step.noise + step.feedback @ state.sampling_covariance @ step.feedback.T,
    )
