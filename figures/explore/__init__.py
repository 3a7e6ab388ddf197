"""Interactive page: sliders on one side, and the exact results for their setting on the other."""

from .family import TOPICS as TOPICS
from .family import own_family as own_family
from .serve import Programs as Programs
from .serve import make_server as make_server
