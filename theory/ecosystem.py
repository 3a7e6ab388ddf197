"""The ecosystem in JAX's arrays, as a pytree: K entities, their data, the inputs they publish labels for, and their shares."""

from types import ModuleType
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from crossfeed.errors import InvalidInput, naming
from crossfeed.formulas import arrays
from crossfeed.formulas import ecosystem as formulas
from crossfeed.formulas.arrays import is_concrete
from crossfeed.formulas.shapes import Numbers


def as_array(name: str, value: Any) -> Array:
    """JAX array of numbers, of which integers become floats; refuses what `formulas.arrays.as_array` does."""
    return arrays.as_array(name, value, jnp)


class Dataset(formulas.Dataset, eqx.Module):
    """Data as the theory sees them: the Gram matrix of their features, their label noise, and the truth behind the labels.

    Labels follow y | x ~ N(x'θ, σ²). All arrays may have the same leading axes, one entry per dataset. Everything may be given
    as float64 arrays, NumPy arrays or nested lists.

    Args:
        gram: X'X, symmetric and positive semi-definite.
        noise_variance: σ² > 0 of one label; one number for all datasets, or one per dataset.
        truth: θ; one for all datasets, or one per dataset. None where it is not known, or where there is none, as for the
            labels that models write.

    Raises:
        InvalidInput: at construction, if shapes or types do not fit; `Ecosystem` checks the values.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Dataset
        >>> data = Dataset(jnp.stack([jnp.eye(3), 2 * jnp.eye(3)]), noise_variance=0.5)
        >>> print(data.gram.shape, data.noise_variance)
        (2, 3, 3) [0.5 0.5]
    """

    library: ClassVar[ModuleType] = jnp

    def __init__(self, gram: Numbers, noise_variance: Numbers = 1.0, truth: Numbers | None = None):
        super().__init__(gram, noise_variance, truth)


class Ecosystem(formulas.Ecosystem, eqx.Module):
    """Data of K entities in the linear model of §5, and the shares of the pool.

    Args:
        private: the private data of every entity, S~_k; arrays have a leading axis of length K.
        public: the public data of all entities, S_*.
        synthetic: the inputs that every entity publishes labels for at every generation, S_k, and the variance of the noise of
            these labels. Without a truth: entities label by their own estimates.
        shares: w_k ≥ 0 with Σ_k w_k = 1, the share of entity k in the pool; 1/K each if None, as in the paper.
        present: which entities there are, where arrays have room for more; all if None. An absent entity has no share, and no
            measure counts it.

    Raises:
        InvalidInput: at construction, if shapes or types do not fit, or only some data have a truth; and, unless traced, if a
            value is not finite, a Gram matrix is asymmetric or indefinite, or shares are negative or do not sum to 1.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import Dataset, Ecosystem
        >>> gram = jnp.diag(jnp.array([3.0, 2.0, 1.0]))
        >>> both = Dataset(jnp.stack([gram, gram]))
        >>> ecosystem = Ecosystem(private=both, public=Dataset(gram), synthetic=both)
        >>> ecosystem.entities, ecosystem.dimension
        (2, 3)
    """

    library: ClassVar[ModuleType] = jnp

    def __init__(
        self,
        *,
        private: formulas.Dataset,
        public: formulas.Dataset,
        synthetic: formulas.Dataset,
        shares: Numbers | None = None,
        present: Numbers | None = None,
    ):
        super().__init__(private=private, public=public, synthetic=synthetic, shares=shares, present=present)


def ecosystem_from_grams(
    private: Numbers,
    public: Numbers,
    synthetic: Numbers,
    shares: Numbers | None = None,
    noise_variance: Numbers = 1.0,
    theta: Numbers | None = None,
) -> Ecosystem:
    """Ecosystem of the paper, in which all data have the same label noise and the same truth (§5).

    Args:
        private: S~_k, of shape (K, d, d).
        public: S_*, of shape (d, d).
        synthetic: S_k, of shape (K, d, d).
        shares: w_k, of shape (K); equal if None.
        noise_variance: σ² > 0, the variance of the noise of one label.
        theta: θ, the true parameter, of shape (d); None if it is unknown.

    Raises:
        InvalidInput: `Dataset` or `Ecosystem` refuses a value.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import ecosystem_from_grams
        >>> grams = jnp.stack([jnp.eye(3), jnp.diag(jnp.array([2.0, 1.0, 0.0]))])
        >>> ecosystem_from_grams(grams, jnp.eye(3), grams, noise_variance=0.5).entities
        2
    """

    def dataset(name: str, gram: Numbers, truth: Numbers | None) -> Dataset:
        with naming(name):
            return Dataset(gram, noise_variance, truth)

    return Ecosystem(
        private=dataset("private", private, theta),
        public=dataset("public", public, theta),
        synthetic=dataset("synthetic", synthetic, None),
        shares=shares,
    )


def equal_shares(entities: int) -> Float[Array, " entity"]:
    """Equal shares of the pool, 1/K for every entity, as in the paper.

    Args:
        entities: K, at least 1.

    Returns:
        Array of shape (K); its entries sum to 1.

    Example:
        >>> from crossfeed.theory import equal_shares
        >>> print(equal_shares(4))
        [0.25 0.25 0.25 0.25]
    """
    return jnp.full(entities, 1 / entities)


def check_all_present(ecosystem: Ecosystem) -> None:
    """Refuse room for entities that are absent, for computations that do not know of it; unless traced."""
    if is_concrete(ecosystem.present) and not np.asarray(ecosystem.present).all():
        absent = int(np.flatnonzero(~np.asarray(ecosystem.present))[0])
        raise InvalidInput(f"present[{absent}] is False: give an ecosystem of those entities that are there")
