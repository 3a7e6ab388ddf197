"""Running the workflow: Monte Carlo of the linear models, checked against the theory."""

from .agreement import Decision as Decision
from .agreement import Prediction as Prediction
from .agreement import decide as decide
from .agreement import predict as predict
from .agreement import z_scores as z_scores
from .real_data import DATASETS as DATASETS
from .real_data import bundled_ecosystem as bundled_ecosystem
from .simulate import Simulation as Simulation
from .simulate import run_tally as run_tally
from .simulate import simulate as simulate
from .simulate import summarise as summarise
from .spread import spread as spread
from .spread import spread_grid as spread_grid
from .tally import Tally as Tally
from .tally import merge as merge
from .tally import merge_stack as merge_stack
from .user_files import ecosystem_from_files as ecosystem_from_files
from .workflow import MomentSampler as MomentSampler
from .workflow import RowSampler as RowSampler
from .workflow import Sampler as Sampler
from .workflow import make_moment_sampler as make_moment_sampler
from .workflow import make_row_sampler as make_row_sampler
