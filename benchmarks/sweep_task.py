"""A sweep in a process of its own: reads a spec, prints the CPU seconds of its execution, compilation included, imports not."""

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
