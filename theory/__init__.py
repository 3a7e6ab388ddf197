"""Exact results for K linear models that train recursively on each other's outputs.

An `Ecosystem` says what data every entity has, and `Weights` how much it trusts each kind. `trajectory` follows the law
of all estimates through generations 0..T, and `limit` gives the law that they tend to. Everything else is a function of
such a `Law`: errors (`mse`, `mspe`, `relative_efficiency`), moments (`bias`, `covariance` and others), similarity of
the entities (`homogenization` and distances) and their use of each dataset (`transfer`); or a statement about stability
(`spectral_radius`, and bounds of it: `universal_bound`, `prompt_bound`, `anchor_bound`, `knowledge_bound`, `lemma1`,
`lemma1_extended`, `common_prompts`).

Symbols: K entities, d features, θ the true parameter, θ̂_k the estimate of entity k, and σ² the variance of the noise
of one label. S~_k, S_* and S_k are the Gram matrices X'X of private, public and synthetic data, w_k are the shares of
the pool, and S̲ = Σ_k w_k S_k. α_k and β_k are the weights, and ā = 1 - α. A⁺ is the Moore-Penrose inverse of A, and
ρ(A) the spectral radius. Sections, theorems, equations and figures named without a source are those of arXiv 2505.21677
v3; `docs/theory.md` derives the rest.

Covariances and mean squared errors are in squared units of θ; as long as no estimate is biased, they are proportional
to σ².

All functions are pure, and can be compiled, mapped over and differentiated by JAX. They need float64: first call
`jax.config.update("jax_enable_x64", True)`.
"""

from crossfeed.errors import CrossfeedError as CrossfeedError
from crossfeed.errors import DependsOnTheta as DependsOnTheta
from crossfeed.errors import InvalidInput as InvalidInput
from crossfeed.errors import NoLimit as NoLimit
from crossfeed.formulas.estimators import GradientSteps as GradientSteps
from crossfeed.formulas.estimators import LeastSquares as LeastSquares
from crossfeed.formulas.estimators import Ridge as Ridge
from crossfeed.formulas.estimators import Solution as Solution
from crossfeed.formulas.law import Law as Law
from crossfeed.formulas.memories import Accumulate as Accumulate
from crossfeed.formulas.memories import Forget as Forget
from crossfeed.formulas.memories import Replace as Replace
from crossfeed.formulas.pools import Network as Network
from crossfeed.formulas.pools import Shared as Shared
from crossfeed.formulas.results import RESULTS as RESULTS
from crossfeed.formulas.workflow import PAPER as PAPER
from crossfeed.formulas.workflow import Workflow as Workflow
from crossfeed.formulas.workflow_file import parse_workflow as parse_workflow
from crossfeed.formulas.workflow_file import read_workflow as read_workflow

from . import kernels as _  # noqa: F401, JAX's way to decide kernels
from .consensus import trajectory as trajectory
from .distances import disagreement as disagreement
from .distances import distribution_distance as distribution_distance
from .distances import mean_distance as mean_distance
from .ecosystem import Dataset as Dataset
from .ecosystem import Ecosystem as Ecosystem
from .ecosystem import ecosystem_from_grams as ecosystem_from_grams
from .ecosystem import equal_shares as equal_shares
from .ecosystem_file import load_ecosystem as load_ecosystem
from .ecosystem_file import save_ecosystem as save_ecosystem
from .families import random_gaussian as random_gaussian
from .families import symmetric_ecosystem as symmetric_ecosystem
from .families import worst_case as worst_case
from .features import Features as Features
from .features import ecosystem_from_features as ecosystem_from_features
from .features import smallest_features as smallest_features
from .features import stack_features as stack_features
from .joint_law import JointLaw as JointLaw
from .joint_law import joint_law as joint_law
from .lapack_threads import guard_lapack as _guard_lapack
from .laws import bias as bias
from .laws import bias_map as bias_map
from .laws import bias_map_norm as bias_map_norm
from .laws import biased as biased
from .laws import conditional_covariance as conditional_covariance
from .laws import covariance as covariance
from .laws import homogenization as homogenization
from .laws import joint_covariance as joint_covariance
from .laws import limit as limit
from .laws import mean_error as mean_error
from .laws import mean_map as mean_map
from .laws import minimum_variance as minimum_variance
from .laws import mse as mse
from .laws import mspe as mspe
from .laws import reason as reason
from .laws import relative_efficiency as relative_efficiency
from .laws import spectral_radius as spectral_radius
from .parts import AbstractEstimator as AbstractEstimator
from .parts import AbstractMemory as AbstractMemory
from .parts import AbstractPool as AbstractPool
from .stability import CONDITIONS as CONDITIONS
from .stability import AnchorBound as AnchorBound
from .stability import CommonPrompts as CommonPrompts
from .stability import KnowledgeBound as KnowledgeBound
from .stability import Lemma1 as Lemma1
from .stability import Lemma1Beyond as Lemma1Beyond
from .stability import Lemma1Extended as Lemma1Extended
from .stability import PaperStatements as PaperStatements
from .stability import PromptBound as PromptBound
from .stability import StabilityBound as StabilityBound
from .stability import StabilitySummary as StabilitySummary
from .stability import anchor_bound as anchor_bound
from .stability import common_prompts as common_prompts
from .stability import knowledge_bound as knowledge_bound
from .stability import lemma1 as lemma1
from .stability import lemma1_beyond as lemma1_beyond
from .stability import lemma1_bound as lemma1_bound
from .stability import lemma1_extended as lemma1_extended
from .stability import prompt_bound as prompt_bound
from .stability import random_growth as random_growth
from .stability import random_misaligned as random_misaligned
from .stability import random_threshold as random_threshold
from .stability import sharp_knowledge_bound as sharp_knowledge_bound
from .stability import summarize_stability as summarize_stability
from .stability import universal_bound as universal_bound
from .stability import worst_private_data as worst_private_data
from .stein import SteinSolution as SteinSolution
from .stein import solve_stein as solve_stein
from .transfer import row_block_spread as row_block_spread
from .transfer import transfer as transfer
from .weights import Weights as Weights

_guard_lapack()
