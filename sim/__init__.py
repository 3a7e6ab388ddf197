"""Monte Carlo simulation of the linear models, tests of its agreement with the theory, and ecosystems from real data."""

from .agreement import Decision as Decision
from .agreement import Prediction as Prediction
from .agreement import family_wise_test as family_wise_test
from .agreement import predict_estimates as predict_estimates
from .agreement import z_scores as z_scores
from .gaussian_fitting import GaussianFits as GaussianFits
from .gaussian_fitting import simulate_gaussian_fitting as simulate_gaussian_fitting
from .monte_carlo import Simulation as Simulation
from .monte_carlo import simulate as simulate
from .monte_carlo import simulate_moments as simulate_moments
from .monte_carlo import simulate_on_devices as simulate_on_devices
from .monte_carlo import summarize_moments as summarize_moments
from .real_data import DATASETS as DATASETS
from .real_data import bundled_ecosystem as bundled_ecosystem
from .rows import RowSampler as RowSampler
from .rows import make_row_sampler as make_row_sampler
from .running_moments import RunningMoments as RunningMoments
from .running_moments import merge_moment_stack as merge_moment_stack
from .running_moments import merge_moments as merge_moments
from .samplers import MomentSampler as MomentSampler
from .samplers import Sampler as Sampler
from .samplers import make_moment_sampler as make_moment_sampler
from .sharding import cached_tile as cached_tile
from .sharding import sharded_grid as sharded_grid
from .sharding import sharded_vmap as sharded_vmap
from .user_files import ecosystem_from_files as ecosystem_from_files
