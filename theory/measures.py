"""The formulas of limits, errors and moments for JAX's arrays; outside of transformations, every call is one program."""

from functools import wraps

from crossfeed.formulas import biases, covariances, measures, reasons
from crossfeed.formulas import homogenization as similarity
from crossfeed.formulas import limit as limits
from crossfeed.formulas.ecosystem import Ecosystem
from crossfeed.formulas.law import Law
from crossfeed.formulas.stein import refuse_unit_root
from crossfeed.formulas.weights import Weights
from crossfeed.formulas.workflow import PAPER, Workflow

from .eager import as_one_program

_limit = as_one_program()(limits.limit)


@wraps(limits.limit)
def limit(ecosystem: Ecosystem, weights: Weights, workflow: Workflow = PAPER, *, throw: bool = True) -> Law:  # noqa: D103
    law = _limit(ecosystem, weights, workflow, throw=False)
    if throw and law.spectral_radius is not None:
        refuse_unit_root(law.spectral_radius)
    return law


spectral_radius = as_one_program()(limits.spectral_radius)

mse = as_one_program(refuses=True)(measures.mse)
mspe = as_one_program(refuses=True)(measures.mspe)
minimum_variance = as_one_program(refuses=True)(measures.minimum_variance)
relative_efficiency = as_one_program(refuses=True)(measures.relative_efficiency)
homogenization = as_one_program(refuses=True)(similarity.homogenization)
reason = as_one_program()(reasons.reason)

bias = as_one_program(refuses=True)(biases.bias)
bias_map = as_one_program()(biases.bias_map)
bias_map_norm = as_one_program()(biases.bias_map_norm)
biased = as_one_program()(biases.biased)
mean_error = as_one_program(refuses=True)(biases.mean_error)
mean_map = as_one_program()(biases.mean_map)

conditional_covariance = as_one_program()(covariances.conditional_covariance)
covariance = as_one_program()(covariances.covariance)
joint_covariance = as_one_program()(covariances.joint_covariance)
