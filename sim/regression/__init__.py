"""Simulated regimes without an exact law: other labels, other fits, random inputs, curation.

A `Regression` is made of parts that combine: `labels` (Gaussian, Bernoulli, Poisson), a `fitting` (maximum likelihood, robust,
stochastic gradient), a `curation` of the pool, and what is drawn anew at every generation. `simulate_regression` follows
independent replicates of it. Where the answer is a number, it comes with a standard error; where a fit has no finite estimate,
it comes with the reason instead.
"""

from .curation import AbstractCuration as AbstractCuration
from .curation import KeepAll as KeepAll
from .curation import KeepBest as KeepBest
from .fitting import FITS as FITS
from .fitting import AbstractFitting as AbstractFitting
from .fitting import MaximumLikelihood as MaximumLikelihood
from .fitting import Robust as Robust
from .fitting import StochasticGradient as StochasticGradient
from .labels import AbstractLabels as AbstractLabels
from .labels import Bernoulli as Bernoulli
from .labels import Gaussian as Gaussian
from .labels import Poisson as Poisson
from .labels import fisher_ecosystem as fisher_ecosystem
from .regression import Regression as Regression
from .simulation import RegressionSimulation as RegressionSimulation
from .simulation import simulate_regression as simulate_regression
