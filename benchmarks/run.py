"""Run benchmarks: `python benchmarks/run.py [NAME…]`. Results go to results/benchmarks.

Without a name, run all benchmarks of the exact theory and its simulation. `training_step`, `language_generation` and
`loss_forecasts` are benchmarks of language models; the second needs the dependency group `parity`. `accelerator` is for GPUs,
and `compiled_loops` needs the dependency group `bench`.
"""

import argparse
import importlib

from crossfeed.cli.jax_setup import set_up_jax
from rich.console import Console
from rich.table import Table

NAMES = [
    "versions",
    "limit_grid",
    "batch_last",
    "large_limit",
    "linear_in_entities",
    "moment_simulator",
    "sweep_grid",
    "fine_diagrams",
    "lemma1_trials",
]
OPTIONAL = ["accelerator", "compiled_loops"]
LANGUAGE = ["training_step", "language_generation", "loss_forecasts"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    known = [*NAMES, *OPTIONAL, *LANGUAGE]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(known)}")
    names = parser.parse_args().names or NAMES
    if unknown := set(names) - set(known):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}; available are {', '.join(known)}")
    of_language = {name in LANGUAGE for name in names}
    if len(of_language) > 1:
        parser.error(f"{' and '.join(LANGUAGE)} cannot run together with others, because they set up JAX differently")
    set_up_jax(small_matrices=of_language == {False})  # as the command does

    from timing import write  # after JAX is set up

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
