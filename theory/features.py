"""Feature matrices X with one row per sample, and the ecosystems of their Gram matrices X'X."""

from collections.abc import Sequence
from functools import partial

import equinox as eqx
import jax
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from crossfeed.errors import InvalidInput
from crossfeed.formulas.ecosystem import check_finite

from .eager import as_one_program
from .ecosystem import Ecosystem, as_array, ecosystem_from_grams
from .linear_algebra import factor


class Features(eqx.Module):
    """Feature matrices of all data of an ecosystem, with one row per sample.

    Shorter datasets are padded with rows of zeros, which add nothing to X'X and X'y. `stack_features` makes them from
    data of different lengths, and `smallest_features` from Gram matrices.

    Attributes:
        private: X~_k, the private features of entity k.
        public: X_*, the public features.
        synthetic: X_k, the inputs that entity k publishes labels for at every generation.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Features
        >>> rows = jnp.eye(3)
        >>> features = Features(private=jnp.stack([rows[:2], rows[1:]]), public=rows, synthetic=jnp.stack([rows, rows]))
        >>> features.private.shape
        (2, 2, 3)
    """

    private: Float[Array, "entity rows d"] = eqx.field(converter=partial(as_array, "private"))
    public: Float[Array, "public_rows d"] = eqx.field(converter=partial(as_array, "public"))
    synthetic: Float[Array, "entity synthetic_rows d"] = eqx.field(converter=partial(as_array, "synthetic"))


def _gram(features: Float[Array, "*batch rows d"]) -> Float[Array, "*batch d d"]:
    return features.mT @ features


def ecosystem_from_features(
    features: Features,
    shares: ArrayLike | None = None,
    noise_variance: float | Array = 1.0,
    theta: ArrayLike | None = None,
) -> Ecosystem:
    """Ecosystem with the Gram matrices X'X of given features (§5).

    Args:
        features: features of K entities.
        shares: w_k ≥ 0, the shares of the pool, of shape (K) and with sum 1; equal if None.
        noise_variance: σ² > 0, the variance of the noise of one label.
        theta: θ, the true parameter, of shape (d); None if it is unknown.

    Raises:
        InvalidInput: `Ecosystem` refuses a value.

    Example:
        >>> import numpy as np
        >>> from crossfeed.theory import ecosystem_from_features, stack_features
        >>> rows = np.eye(3)
        >>> ecosystem = ecosystem_from_features(stack_features([rows[:2], rows[2:]], public=2 * rows))
        >>> print(ecosystem.public.gram[0])
        [4. 0. 0.]
    """
    grams = _gram(features.private), _gram(features.public), _gram(features.synthetic)
    return ecosystem_from_grams(*grams, shares, noise_variance, theta)


def stack_features(
    private: Sequence[np.ndarray], public: np.ndarray, synthetic: Sequence[np.ndarray] | None = None
) -> Features:
    """Features of an ecosystem from matrices with different numbers of rows, padded with rows of zeros.

    Args:
        private: the private features of every entity, of shapes (n_k, d) with one row per sample.
        public: the public features, of shape (n, d).
        synthetic: the inputs that every entity publishes labels for, of shapes (m_k, d); the private features if None,
            as in the paper.

    Returns:
        Features with max n_k private rows, n public rows and max m_k synthetic rows.

    Raises:
        InvalidInput: there is no entity, numbers of columns differ, or an entry is not finite.

    Example:
        >>> import numpy as np
        >>> from crossfeed.theory import stack_features
        >>> features = stack_features([np.ones((2, 3)), np.ones((1, 3))], public=np.eye(3))
        >>> print(features.private[1])
        [[1. 1. 1.]
         [0. 0. 0.]]
    """
    if len(private) == 0:
        raise InvalidInput("private holds no feature matrix, but there must be at least one entity")
    synthetic = private if synthetic is None else synthetic
    if len(synthetic) != len(private):
        raise InvalidInput(f"synthetic holds {len(synthetic)} feature matrices, but private holds {len(private)}")
    named = {f"private[{k}]": x for k, x in enumerate(private)}
    named |= {"public": public}
    named |= {f"synthetic[{k}]": x for k, x in enumerate(synthetic)}
    if np.ndim(private[0]) != 2:
        raise InvalidInput(f"private[0] must be a matrix, one row per sample, but has shape {np.shape(private[0])}")
    width = np.shape(private[0])[1]
    for name, matrix in named.items():
        if np.ndim(matrix) != 2 or np.shape(matrix)[1] != width:
            raise InvalidInput(
                f"{name} must be a matrix with {width} columns like private[0], but has shape {np.shape(matrix)}"
            )
        check_finite(name, np.asarray(matrix, dtype=float))
    return Features(_pad(private), np.asarray(public, dtype=float), _pad(synthetic))


def _pad(matrices: Sequence[np.ndarray]) -> np.ndarray:
    longest = max(len(matrix) for matrix in matrices)
    return np.stack([np.pad(np.asarray(m, dtype=float), ((0, longest - len(m)), (0, 0))) for m in matrices])


@as_one_program()
def smallest_features(ecosystem: Ecosystem) -> Features:
    """Features with the Gram matrices of an ecosystem and only d rows per dataset: their matrix roots.

    Args:
        ecosystem: the ecosystem.

    Returns:
        Features with X'X = S for every Gram matrix S, up to rounding.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import smallest_features, symmetric_ecosystem
        >>> features = smallest_features(symmetric_ecosystem(2, 4 * jnp.eye(3)))
        >>> print(features.public.shape, f"{features.public[0, 0]:.4f}")
        (3, 3) 2.0000
    """
    roots = jax.vmap(factor)
    private, synthetic = roots(ecosystem.private.gram), roots(ecosystem.synthetic.gram)
    return Features(private.mT, factor(ecosystem.public.gram).T, synthetic.mT)
