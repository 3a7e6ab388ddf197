"""Claims of the paper and of this project, decided by running code."""

from .lemma1 import Trials as Trials
from .lemma1 import misaligned_ecosystem as misaligned_ecosystem
from .lemma1 import run_trials as run_trials
from .lemma1 import satisfying_ecosystem as satisfying_ecosystem
