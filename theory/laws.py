"""Limits, errors and moments of the estimates from JAX's arrays; outside of what JAX compiles, every call is one program."""

from functools import partial, wraps

import jax.numpy as jnp

from crossfeed.formulas import biases, covariances, measures, reasons
from crossfeed.formulas import homogenization as similarity
from crossfeed.formulas import limit as limits
from crossfeed.formulas.ecosystem import Ecosystem
from crossfeed.formulas.law import Law
from crossfeed.formulas.stein import refuse_unit_root
from crossfeed.formulas.weights import Weights
from crossfeed.formulas.workflow import PAPER, Workflow

from .eager import any_nan, as_one_program

_one_program = partial(as_one_program, module=__name__)
_limit = _one_program(lambda law, *_, **__: jnp.isnan(law.spectral_radius))(limits.limit)


@wraps(limits.limit, assigned=("__doc__",))
def limit(ecosystem: Ecosystem, weights: Weights, workflow: Workflow = PAPER, *, throw: bool = True) -> Law:  # noqa: D103
    law = _limit(ecosystem, weights, workflow, throw=False)
    if throw and law.spectral_radius is not None:
        refuse_unit_root(law.spectral_radius)
    return law


spectral_radius = _one_program(any_nan)(limits.spectral_radius)

mse = _one_program(any_nan)(measures.mse)
mspe = _one_program(any_nan)(measures.mspe)
minimum_variance = _one_program(any_nan)(measures.minimum_variance)
relative_efficiency = _one_program(any_nan)(measures.relative_efficiency)
homogenization = _one_program(any_nan)(similarity.homogenization)
reason = _one_program()(reasons.reason)

bias = _one_program(any_nan)(biases.bias)
bias_map = _one_program()(biases.bias_map)
bias_map_norm = _one_program()(biases.bias_map_norm)
biased = _one_program()(biases.biased)
mean_error = _one_program(any_nan)(biases.mean_error)
mean_map = _one_program()(biases.mean_map)

conditional_covariance = _one_program()(covariances.conditional_covariance)
covariance = _one_program()(covariances.covariance)
joint_covariance = _one_program()(covariances.joint_covariance)
