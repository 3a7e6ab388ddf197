"""Run benchmarks: `python benchmarks/run.py [NAME…]`. Results go to results/benchmarks.

Without a name, all of the exact theory and its simulation. `training_step` and `language_generation` are of language models; the
latter needs the extra `parity`.
"""

import argparse
import importlib

from crossfeed.cli.jax_setup import set_up_jax
from rich.console import Console
from rich.table import Table

NAMES = ["limit_grid", "large_limit", "linear_in_entities", "moment_simulator", "sweep_grid", "lemma1_trials"]
LANGUAGE = ["training_step", "language_generation"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    known = [*NAMES, *LANGUAGE]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(known)}")
    names = parser.parse_args().names or NAMES
    if unknown := set(names) - set(known):
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    of_language = {name in LANGUAGE for name in names}
    if len(of_language) > 1:
        parser.error(f"{' and '.join(LANGUAGE)} do not run with others: they set JAX up differently")
    set_up_jax(small_matrices=of_language == {False})  # as the command does

    from timing import write  # after x64 is on

    console = Console()
    table = Table("benchmark", "claim", "measured", "target", "met")
    for name in names:
        with console.status(name):
            claims = importlib.import_module(name).measure()
        write(name, claims)
        for claim in claims:
            sign = "≥" if claim.at_least else "≤"
            met = "[green]yes" if claim.met else "[red]no"
            table.add_row(name, claim.statement, f"{claim.measured:.4g}", f"{sign} {claim.target:g}", met)
    console.print(table)


if __name__ == "__main__":
    main()
