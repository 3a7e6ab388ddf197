"""Language models that train on each other's text: the paper's §6 as software."""

from .model.formats.pretrained import save_pretrained as save_pretrained
from .run.evaluate import Evaluation as Evaluation
from .run.evaluate import OpenCell as OpenCell
from .run.evaluate import complete_prompt as complete_prompt
from .run.evaluate import evaluate_files as evaluate_files
from .run.evaluate import open_cell as open_cell
from .run.measures_store import measured_inputs as measured_inputs
from .run.measures_store import measured_study as measured_study
from .run.measures_store import open_measures as open_measures
from .run.run import Progress as Progress
from .run.run_folder import check_held as check_held
from .run.run_folder import holds_run as holds_run
from .run.start import start_run as start_run
from .study.quick import quick_study as quick_study
from .study.study import SCRATCH as SCRATCH
from .study.study import Study as Study
from .study.study_file import parse_study as parse_study
from .study.study_file import read_study as read_study
