"""Language models that train on each other's text: the paper's §6 as software."""

from .checkpoints import save_checkpoint as save_checkpoint
from .measures_store import measured_inputs as measured_inputs
from .measures_store import measured_study as measured_study
from .measures_store import open_measures as open_measures
from .quick import quick_study as quick_study
from .run import Progress as Progress
from .run_folder import check_held as check_held
from .run_folder import holds_run as holds_run
from .session import Evaluation as Evaluation
from .session import OpenCell as OpenCell
from .session import complete_prompt as complete_prompt
from .session import evaluate_files as evaluate_files
from .session import open_cell as open_cell
from .session import start_run as start_run
from .study import SCRATCH as SCRATCH
from .study import Study as Study
from .study_file import parse_study as parse_study
from .study_file import read_study as read_study
