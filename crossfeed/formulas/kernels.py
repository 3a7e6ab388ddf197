"""Kernels of the training data of entities: on which directions an entity has no data.

The kernel of G is the intersection of the kernels of the data that carry weight, whatever their weights. So ranks are decided
from the data alone, where this is well conditioned, and only where they are needed: not at all where public data of full
rank carry weight everywhere.
"""

from functools import singledispatch

from .arrays import namespace
from .linear_algebra import RANK_TOLERANCE, has_full_rank, kernel_projector
from .shapes import Array, Bool, Float


@singledispatch
def training_kernels(
    private: Float[Array, "entity d d"],
    public: Float[Array, "d d"],
    pool: Float[Array, "entity d d"],
    weights: Float[Array, "entity 3"],
) -> Float[Array, "entity d d"]:
    """Orthogonal projectors onto the kernels of all entities' training data; exactly zero at full rank.

    Args:
        private: Gram matrices of the private data.
        public: Gram matrix of the public data.
        pool: Gram matrices of what each entity reads of the pool.
        weights: weights of private, public and synthetic data of each entity; at most `RANK_TOLERANCE` counts as none.
    """
    used = weights > RANK_TOLERANCE
    return (
        kernels_of(private, public, pool, used)
        if may_lack_data(public, used)
        else namespace(private).zeros_like(private)
    )


def may_lack_data(public: Float[Array, "d d"], used: Bool[Array, "entity 3"]) -> Bool[Array, ""]:
    """Whether an entity may have a kernel: not if all train on public data, and these have full rank."""
    return ~(used[:, 1].all() & has_full_rank(public))


def kernels_of(
    private: Float[Array, "entity d d"],
    public: Float[Array, "d d"],
    pool: Float[Array, "entity d d"],
    used: Bool[Array, "entity 3"],
) -> Float[Array, "entity d d"]:
    """The kernels, decided for every entity."""
    xp = namespace(private)
    return _kernel(xp.stack([private, xp.broadcast_to(public, private.shape), pool], axis=1), used)


def _kernel(grams: Float[Array, "*entity set d d"], used: Bool[Array, "*entity set"]) -> Float[Array, "*entity d d"]:
    """Projector onto the intersection of the kernels of the used Gram matrices, which says nothing of their sizes."""
    xp = namespace(grams)
    grams = used.astype(grams.dtype)[..., None, None] * grams
    sizes = xp.diagonal(grams.sum(-3), axis1=-2, axis2=-1)
    sizes = sizes + (sizes == 0).astype(sizes.dtype)  # one where there is no data
    traces = xp.einsum("...sa,...a->...s", xp.diagonal(grams, axis1=-2, axis2=-1), 1 / sizes)  # in features of one size
    traces = traces + (traces == 0).astype(traces.dtype)
    return kernel_projector(xp.einsum("...s,...sab->...ab", 1 / traces, grams))
