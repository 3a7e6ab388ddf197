"""Labels given inputs: their distribution at a linear predictor η = x'θ, and their loss, the negative log-likelihood."""

from abc import abstractmethod

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from crossfeed.errors import InvalidInput
from crossfeed.formulas.arrays import is_concrete
from crossfeed.formulas.shapes import Scalar

from ...theory.ecosystem import Ecosystem, ecosystem_from_grams
from ...theory.features import Features

Rows = Float[Array, "*rows"]


class AbstractLabels(eqx.Module):
    """Base class of labels."""

    @abstractmethod
    def draw(self, key: PRNGKeyArray, predictor: Rows) -> Rows:
        """Independent labels."""

    @abstractmethod
    def loss(self, label: Rows, predictor: Rows) -> Rows:
        """Negative log-likelihood, up to a constant that depends on the label alone."""

    @abstractmethod
    def slope(self, label: Rows, predictor: Rows) -> Rows:
        """Derivative of the loss by the predictor."""

    @abstractmethod
    def information(self, predictor: Rows) -> Rows:
        """Second derivative of the loss by the predictor: the Fisher information of a label on its predictor."""

    def check(self, name: str, values: np.ndarray) -> None:
        """Refuse values that no label can have."""


class Gaussian(AbstractLabels):
    """y | x ~ N(η, σ²). Its loss is half the squared residual, so that fits do not depend on σ².

    Attributes:
        noise_variance: σ² > 0.

    Raises:
        InvalidInput: the variance is not positive and finite; unless traced.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from crossfeed.sim.regression import Gaussian
        >>> Gaussian(2.0).draw(jax.random.key(0), jnp.zeros(3)).shape
        (3,)
    """

    noise_variance: Scalar = 1.0

    def __check_init__(self) -> None:
        if is_concrete(self.noise_variance) and not 0 < self.noise_variance < jnp.inf:
            raise InvalidInput(f"noise_variance is {float(self.noise_variance):.6g}, but must be positive and finite")

    def draw(self, key: PRNGKeyArray, predictor: Rows) -> Rows:
        """Predictor and noise."""
        return predictor + jnp.sqrt(jnp.asarray(self.noise_variance)) * jax.random.normal(key, predictor.shape, float)

    def loss(self, label: Rows, predictor: Rows) -> Rows:
        """(y - η)²/2."""
        return (label - predictor) ** 2 / 2

    def slope(self, label: Rows, predictor: Rows) -> Rows:
        """η - y."""
        return predictor - label

    def information(self, predictor: Rows) -> Rows:
        """1."""
        return jnp.ones_like(predictor)


class Bernoulli(AbstractLabels):
    """y | x ~ Bernoulli(1/(1 + e^-η)), of logistic regression.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from crossfeed.sim.regression import Bernoulli
        >>> Bernoulli().draw(jax.random.key(0), jnp.array([-50.0, 50.0])).tolist()
        [0.0, 1.0]
    """

    def draw(self, key: PRNGKeyArray, predictor: Rows) -> Rows:
        """Zeros and ones."""
        return (jax.random.uniform(key, predictor.shape, float) < jax.nn.sigmoid(predictor)).astype(float)

    def loss(self, label: Rows, predictor: Rows) -> Rows:
        """Log(1 + e^η) - yη."""
        return jax.nn.softplus(predictor) - label * predictor

    def slope(self, label: Rows, predictor: Rows) -> Rows:
        """Probability of a one, less the label."""
        return jax.nn.sigmoid(predictor) - label

    def information(self, predictor: Rows) -> Rows:
        """Variance p(1-p) of a label."""
        return jax.nn.sigmoid(predictor) * jax.nn.sigmoid(-predictor)

    def check(self, name: str, values: np.ndarray) -> None:
        """Zeros and ones."""
        if len(wrong := values[(values != 0) & (values != 1)]):
            raise InvalidInput(f"{name} hold {wrong[0]:.6g}, but must be 0 or 1")


class Poisson(AbstractLabels):
    """y | x ~ Poisson(e^η), of Poisson regression with the logarithmic link.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from crossfeed.sim.regression import Poisson
        >>> Poisson().draw(jax.random.key(0), jnp.array([-50.0])).tolist()
        [0.0]
    """

    def draw(self, key: PRNGKeyArray, predictor: Rows) -> Rows:
        """Counts."""
        return jax.random.poisson(key, jnp.exp(predictor)).astype(float)

    def loss(self, label: Rows, predictor: Rows) -> Rows:
        """Rate less label times its logarithm: e^η - yη."""
        return jnp.exp(predictor) - label * predictor

    def slope(self, label: Rows, predictor: Rows) -> Rows:
        """e^η - y."""
        return jnp.exp(predictor) - label

    def information(self, predictor: Rows) -> Rows:
        """Variance e^η of a label."""
        return jnp.exp(predictor)

    def check(self, name: str, values: np.ndarray) -> None:
        """Counts."""
        if len(wrong := values[(values < 0) | (values != np.round(values))]):
            raise InvalidInput(f"{name} hold {wrong[0]:.6g}, but must be counts")


def fisher_ecosystem(
    features: Features, labels: AbstractLabels, truth: Float[Array, " d"], shares: Float[Array, " entity"] | None = None
) -> Ecosystem:
    """Linear ecosystem whose Gram matrices are the Fisher information of the labels at the truth, and σ² = 1.

    Its exact law is what the law of maximum-likelihood estimates tends to as numbers of rows grow, to first order.

    Args:
        features: rows of all data.
        labels: their distribution.
        truth: θ, the same for all data.
        shares: shares of the pool; equal if None.

    Example:
        >>> import jax.numpy as jnp, numpy as np
        >>> from crossfeed.sim.regression import Bernoulli, fisher_ecosystem
        >>> from crossfeed.theory import stack_features
        >>> rows = np.eye(2)
        >>> print(fisher_ecosystem(stack_features([rows], rows), Bernoulli(), jnp.zeros(2)).public.gram)
        [[0.25 0.  ]
         [0.   0.25]]
    """

    def gram(rows: Float[Array, "*sets rows d"]) -> Float[Array, "*sets d d"]:
        weight = labels.information(rows @ truth)
        return rows.mT @ (weight[..., None] * rows)

    noise = labels.noise_variance if isinstance(labels, Gaussian) else 1.0
    grams = gram(features.private), gram(features.public), gram(features.synthetic)
    return ecosystem_from_grams(*grams, shares, noise, truth)
