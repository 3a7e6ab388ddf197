"""`make fuzz`: many damaged inputs for every reader; prints each kind of failure once, with the number of its first case."""

import argparse
import sys
import time

from crossfeed.cli.jax_setup import set_up_jax

set_up_jax()

from .harness import run
from .readers import READERS


def main() -> int:
    """Run the cases, print a line per reader, and return 1 if there was any failure."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument(
        "readers", nargs="*", choices=[*READERS, []], help="readers to try; all of them if none is named"
    )
    parser.add_argument("--cases", type=int, default=10_000, help="number of cases per reader")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    options = parser.parse_args()
    failed = False
    for name in options.readers or READERS:
        start = time.monotonic()
        outcome = run(READERS[name], range(options.first, options.first + options.cases))
        counts = f"{outcome.read} read, {outcome.refused} refused, {outcome.failures.total()} failed"
        print(f"{name}: {counts}; {time.monotonic() - start:.0f} s", flush=True)
        for kind, count in outcome.failures.most_common():
            print(
                f"--- {name}: {count} times {kind}, first in case {outcome.first[kind]}\n{outcome.traces[kind][-1500:]}"
            )
        failed |= bool(outcome.failures)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
