"""What claims of the ledger state beside what the functions of `theory` that they name compute, at random rational points."""

from .closed_forms import CLOSED_FORMS as CLOSED_FORMS
from .laws import LAWS as LAWS
from .stability import STABILITY as STABILITY
