"""Interactive page: sliders on one side, and the exact results for their setting on the other."""

from .serve import Programs as Programs
from .serve import make_server as make_server
