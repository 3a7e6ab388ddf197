"""Random trials of Lemma 1: ecosystems within and outside its condition, with the extremal ones decided exactly."""

from .certificate import BoundCertificate as BoundCertificate
from .certificate import BoundVerdict as BoundVerdict
from .certificate import certify_bound as certify_bound
from .certificate import compare_with_bound as compare_with_bound
from .divergence import Divergence as Divergence
from .divergence import simulate_divergence as simulate_divergence
from .draws import OUTSIDE as OUTSIDE
from .draws import Draw as Draw
from .draws import Sizes as Sizes
from .draws import draw_outside as draw_outside
from .draws import draw_within as draw_within
from .summary import slack_histogram as slack_histogram
from .summary import summarize_survey as summarize_survey
from .survey import EXCESS as EXCESS
from .survey import MOST_TRIALS as MOST_TRIALS
from .survey import Survey as Survey
from .survey import survey as survey
from .trials import Trials as Trials
from .trials import draw_number as draw_number
from .trials import one_trial as one_trial
from .trials import run_trials as run_trials
from .trials import trial_keys as trial_keys
