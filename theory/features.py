"""Feature matrices, the rows behind the Gram matrices."""

from collections.abc import Sequence

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float

from crossfeed.errors import InvalidInput

from .ecosystem import Ecosystem, as_array, check_finite, equal_shares
from .linear_algebra import square_root


class Features(eqx.Module):
    """Feature matrices of an ecosystem; shorter datasets are padded with rows of zeros.

    A zero row adds nothing to X'X or X'y, so padding is exact. Make one with `stack_features` from
    ragged data, or with `smallest_features` from Gram matrices.

    Attributes:
        private: X~_k, one row a sample.
        public: X_*.
        synthetic: X_k, the inputs entity k labels at every generation.
    """

    private: Float[Array, "entity rows d"] = eqx.field(converter=as_array)
    public: Float[Array, "public_rows d"] = eqx.field(converter=as_array)
    synthetic: Float[Array, "entity synthetic_rows d"] = eqx.field(converter=as_array)


def _gram(features: Float[Array, "*batch rows d"]) -> Float[Array, "*batch d d"]:
    return features.mT @ features


def ecosystem_from_features(
    features: Features, shares=None, noise_variance: float | Array = 1.0, theta=None
) -> Ecosystem:
    """The ecosystem whose Gram matrices are those of the given features (§5).

    Args:
        shares: pool shares w_k; equal if None.
        noise_variance: σ² of one label.
        theta: the true parameter, if it is known.
    """
    if shares is None:
        shares = equal_shares(features.private.shape[0])
    return Ecosystem(
        _gram(features.private), _gram(features.public), _gram(features.synthetic), shares, noise_variance, theta
    )


def stack_features(
    private: Sequence[np.ndarray], public: np.ndarray, synthetic: Sequence[np.ndarray] | None = None
) -> Features:
    """Stack feature matrices with any numbers of rows, padding with zero rows.

    Args:
        private: one (n_k, d) matrix an entity.
        public: the (n, d) public matrix.
        synthetic: one (m_k, d) matrix an entity; None if entities publish on their own private inputs, as in the paper.

    Raises:
        InvalidInput: no entity, columns that disagree, or an entry that is not finite.
    """
    if len(private) == 0:
        raise InvalidInput("private holds no feature matrix, but there must be at least one entity")
    synthetic = private if synthetic is None else synthetic
    if len(synthetic) != len(private):
        raise InvalidInput(f"synthetic holds {len(synthetic)} feature matrices, but private holds {len(private)}")
    named = {f"private[{k}]": x for k, x in enumerate(private)}
    named |= {"public": public}
    named |= {f"synthetic[{k}]": x for k, x in enumerate(synthetic)}
    width = np.shape(private[0])[-1] if np.ndim(private[0]) == 2 else None
    for name, matrix in named.items():
        if np.ndim(matrix) != 2 or np.shape(matrix)[1] != width:
            raise InvalidInput(
                f"{name} must be a matrix with {width} columns as private[0], but has shape {np.shape(matrix)}"
            )
        check_finite(name, np.asarray(matrix, dtype=float))
    return Features(_pad(private), np.asarray(public, dtype=float), _pad(synthetic))


def _pad(matrices: Sequence[np.ndarray]) -> np.ndarray:
    longest = max(len(matrix) for matrix in matrices)
    return np.stack([np.pad(np.asarray(m, dtype=float), ((0, longest - len(m)), (0, 0))) for m in matrices])


def smallest_features(ecosystem: Ecosystem) -> Features:
    """Features with the ecosystem's Gram matrices and only d rows a dataset: their symmetric square roots."""
    roots = jax.vmap(square_root)
    return Features(roots(ecosystem.private), square_root(ecosystem.public), roots(ecosystem.synthetic))
