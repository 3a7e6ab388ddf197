"""The interactive page: dials on one side, what the theory says of them on the other."""

from .serve import Programs as Programs
from .serve import make_server as make_server
