"""Sweeps over grids of weights and ecosystems, computed tile by tile into a Zarr store that survives interruptions."""

from .comparison import Comparison as Comparison
from .comparison import Difference as Difference
from .comparison import compare_sweeps as compare_sweeps
from .extension import extend_sweep as extend_sweep
from .quantities import OF_INTERPOLATION as OF_INTERPOLATION
from .quantities import QUANTITIES as QUANTITIES
from .run import Share as Share
from .run import create_sweep as create_sweep
from .run import run_sweep as run_sweep
from .spec import Spec as Spec
from .spec import parse_spec as parse_spec
from .spec import read_spec as read_spec
from .store import Status as Status
from .store import finished_points as finished_points
from .store import status_of as status_of
