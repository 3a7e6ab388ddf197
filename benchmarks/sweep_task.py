"""A sweep in a process of its own, for `fine_diagrams.py`: reads a spec, prints the CPU seconds it takes, compilation included."""

import sys
import time
from pathlib import Path

from crossfeed.cli.jax_setup import set_up_jax

set_up_jax()

from crossfeed.sim.sweep import create_sweep, parse_spec, run_sweep

spec, path = parse_spec(sys.stdin.read()), Path(sys.argv[1])
create_sweep(spec, path)
start = time.process_time()
run_sweep(spec, path)
print(time.process_time() - start)
