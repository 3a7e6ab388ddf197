"""Ecosystems from real tables: scikit-learn's bundled data sets, or any rows with an optional target."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from crossfeed.errors import InvalidInput

from ..theory.ecosystem import Ecosystem
from ..theory.features import ecosystem_from_features, stack_features

DATASETS = ("breast_cancer", "diabetes", "digits", "iris", "wine")


def bundled_ecosystem(name: str = "diabetes", entities: int = 3) -> Ecosystem:
    """Ecosystem whose entities own different slices of a real data set that ships with scikit-learn.

    Rows are ordered along the first principal component and cut into K slices, so that entities know different kinds of
    rows. An entity owns every second row of its slice; the remaining rows are public. θ is the least-squares fit to all rows;
    class labels are used as numbers.

    Args:
        name: one of `DATASETS`.
        entities: K, from 1 to a quarter of the number of rows.

    Returns:
        The ecosystem of the standardized features, with θ and the residual variance as σ².

    Raises:
        InvalidInput: an unknown name, or too few rows for so many entities.

    Example:
        >>> from crossfeed.sim import bundled_ecosystem
        >>> ecosystem = bundled_ecosystem("diabetes", entities=3)
        >>> ecosystem.entities, ecosystem.dimension
        (3, 10)
    """
    from sklearn import datasets

    if name not in DATASETS:
        raise InvalidInput(f"data set is '{name}', but must be one of {', '.join(DATASETS)}")
    rows, target = getattr(datasets, f"load_{name}")(return_X_y=True)
    if not 1 <= entities <= len(rows) // 4:
        raise InvalidInput(f"entities is {entities}, but {name} has rows for 1 to {len(rows) // 4}")
    rows = standardize(rows)
    main_axis = np.linalg.svd(rows, full_matrices=False)[2][0]
    order = np.argsort(rows @ main_axis, kind="stable")
    slices = np.array_split(order, entities)
    public = np.concatenate([part[1::2] for part in slices])
    return table_ecosystem([rows[part[::2]] for part in slices], rows[public], (rows, target.astype(float)))


def table_ecosystem(
    private: Sequence[Float[np.ndarray, "_ d"]],
    public: Float[np.ndarray, "public_rows d"],
    labeled: tuple[Float[np.ndarray, "all_rows d"], Float[np.ndarray, " all_rows"]] | None = None,
) -> Ecosystem:
    """Ecosystem from rows of features; entities publish labels for their own private inputs.

    Args:
        private: one matrix per entity.
        public: the public rows.
        labeled: all rows with their targets: θ is the least-squares fit to the centered targets, and σ² the residual variance.
            If None, θ is unknown and σ² = 1.

    Raises:
        InvalidInput: matrices with different columns, or too few rows to estimate the noise.
    """
    features = stack_features(private, public)
    if labeled is None:
        return ecosystem_from_features(features)
    rows, target = labeled
    spare = len(rows) - rows.shape[1] - 1
    if spare < 1:
        raise InvalidInput(f"the target has {len(rows)} rows, too few to fit {rows.shape[1]} features and their noise")
    scale = _power_of_two(target)
    centered = target / scale - (target / scale).mean()
    theta = np.linalg.lstsq(rows, centered, rcond=None)[0]
    noise_variance = ((centered - rows @ theta) ** 2).sum() / spare
    if noise_variance <= 1e-20 * (centered**2).mean():
        raise InvalidInput(
            "the target is constant, or exactly linear in the features, so its noise cannot be estimated"
        )
    if not 1e-140 < scale < 1e140:
        raise InvalidInput(f"the target reaches {np.abs(target).max():.3g}, whose square float64 cannot hold: scale it")
    return ecosystem_from_features(features, noise_variance=float(noise_variance * scale**2), theta=theta * scale)


def standardize(rows: Float[np.ndarray, "rows d"]) -> Float[np.ndarray, "rows kept"]:
    """Rows with their columns shifted to mean zero and scaled to variance one; constant columns are dropped.

    Raises:
        InvalidInput: every column is constant.
    """
    rows = rows / _power_of_two(rows)
    spread = rows.std(axis=0)
    varies = spread > 1e-12 * np.abs(rows).max(axis=0)
    if not varies.any():
        raise InvalidInput("every feature column is constant, so there is nothing to learn from")
    return (rows[:, varies] - rows[:, varies].mean(axis=0)) / spread[varies]


def _power_of_two(values: Float[np.ndarray, "_ ..."]) -> Float[np.ndarray, "..."]:
    """Power of two near the largest size in every column; divided by it, no square overflows, and no digit changes."""
    return np.asarray(np.exp2(np.frexp(np.abs(values).max(axis=0))[1] - 1.0))
