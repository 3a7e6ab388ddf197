"""`crossfeed lm`: language models that train on each other's text."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from .inputs import check_readable, check_runs, check_toml
from .interruption import leave_at_once
from .look import LookOptions, check_drawable
from .output import plain, print_json, print_table
from .processes import Processes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from xarray import Dataset

    from ..figures.lm.tables import Table
    from ..sim.lm import Progress

_RunFolder = tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="RUN")]]
_RunFolders = tyro.conf.Positional[
    Annotated[tuple[Path, ...], tyro.conf.arg(metavar="RUN [RUN ...]", help_behavior_hint="(required)")]
]
_LEAST = 0.002
"""Least part of the work from which the time that remains can be estimated."""
_Seed = Annotated[int | None, tyro.conf.arg(metavar="INT", help_behavior_hint="(default: the run's first)")]


@dataclass(frozen=True)
class LmRun:
    """Run the study that a TOML file describes (docs/language_models/guide.md), or with --quick a small one that needs no data.

    Killed at any moment and continued with --resume, it ends with the same measures. To share the work between processes, on
    one host or many, start the command once per process; all must see the same files.
    """

    config: tyro.conf.Positional[
        Annotated[Path | None, tyro.conf.arg(metavar="[CONFIG.toml]", help_behavior_hint="(required without --quick)")]
    ] = None
    """File that describes the study."""
    out: Annotated[
        Path | None, tyro.conf.arg(metavar="PATH", help_behavior_hint="(default with --quick: results/lm-quick)")
    ] = None
    """Folder of the run."""
    resume: bool = False
    """Continue an existing run instead of starting one."""
    extend: bool = False
    """Continue an existing run with a study that holds more seeds, α, β or generations; what is there is kept."""
    quick: bool = False
    """Run the built-in study: two small models, science and arithmetic, β = 0.5 and α = 0, 0.5, 1; minutes on two cores."""
    shared: Processes = field(default_factory=Processes)

    def check(self) -> None:
        """Refuse a file that is not TOML, and arguments that do not go together."""
        from crossfeed.errors import InvalidInput

        if (self.config is None) != self.quick:
            raise InvalidInput("give either CONFIG.toml or --quick")
        if self.out is None and not self.quick:
            raise InvalidInput("out is missing: name the run's folder with --out")
        if self.config is not None and self.shared.processes == 1:
            check_toml(self.config)

    def run(self) -> None:
        """Run the study, with progress on stderr, and print its tables."""
        from .progress import compiling_clock, progress_bar

        leave_at_once(lambda: self.resume or self.extend)  # before the slow imports that follow
        with progress_bar("{task.fields[rate]}") as progress:
            task = progress.add_task("starting", rate="", total=None, remaining=None)
            from crossfeed.multihost import together

            from ..sim.lm import holds_run, quick_study, read_study, start_run

            self.shared.join()
            config = self.config
            study = quick_study() if config is None else together(lambda: read_study(config))
            out = self.out or Path("results/lm-quick")
            leave_at_once(lambda: holds_run(out))
            tokens, time_remaining = 0, TimeRemaining(compiling_clock())

            def listen(now: Progress) -> None:
                nonlocal tokens
                tokens += now.tokens
                elapsed = progress.tasks[task].elapsed
                rate = f"{tokens / elapsed:,.0f} tokens/s" if elapsed and tokens else ""
                remaining = time_remaining.after(now)
                progress.update(task, completed=now.done, total=now.total, rate=rate, remaining=remaining)
                if now.doing:
                    progress.update(task, description=now.doing)
                if now.note and self.shared.process == 0:
                    progress.console.print(now.note, highlight=False, markup=False)

            start_run(study, out, self.resume, listen, self.extend)
        if self.shared.process == 0:
            LmTable((out,)).run()
            print(out)


class TimeRemaining:
    """Estimate of the time that a run still takes, from the time that generations, and parts of them, have taken.

    Compiling does not count, nor does what comes before generation 0.

    Args:
        clock: function that tells the time in seconds, stopped while programs are compiled.
    """

    def __init__(self, clock: Callable[[], float]):
        self._clock = clock
        self._before, self._done, self._work = clock(), 0.0, 0.0
        self._spent, self._part = 0.0, 0.0

    def after(self, now: Progress) -> float | None:
        """Seconds that remain after a report of progress; None as long as that cannot be told."""
        time, within = self._clock(), bool(self._done % 1)
        if now.done > self._done and (now.doing or within):  # not restored from checkpoints
            self._spent += max(0.0, time - self._before)
            self._part += now.work - self._work
        if now.done != self._done or not within:
            self._before, self._done, self._work = time, now.done, now.work
        return (1 - now.work) * self._spent / self._part if self._part >= _LEAST else None


@dataclass(frozen=True)
class LmTable:
    """Print tables of runs: losses and similarity, first → last, and the pattern score if the run has the form of the paper's.

    Losses that fall by more than 0.1 are green, those that rise so are red. Several runs that differ in seeds, α and β make
    one table. Runs that differ in more are shown side by side, after a table of the settings that differ.
    """

    runs: _RunFolders
    """Folders of runs."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="PATH", help_behavior_hint="(default: only print)")] = None
    """File to write the tables to, in Markdown."""
    json: bool = False
    """Print one JSON object."""
    csv: bool = False
    """Print the numbers as CSV."""

    def check(self) -> None:
        """Refuse runs that are missing."""
        from crossfeed.errors import InvalidInput

        if self.json and self.csv:
            raise InvalidInput("give either --json or --csv")
        check_runs(*self.runs)

    def run(self) -> None:
        """Print the tables, and write them if a file is named."""
        from crossfeed.atomic_write import atomic_write
        from crossfeed.errors import InvalidInput

        from ..figures.lm.comparison import settings_table, side_by_side
        from ..figures.lm.runs import open_groups
        from ..figures.lm.tables import loss_table, score_lines, similarity_table

        groups = open_groups(self.runs)
        losses = {name: loss_table(data) for name, data in groups.items()}
        similarities = {name: similarity_table(data) for name, data in groups.items() if data.sizes["entity"] > 1}
        several = len(groups) > 1
        tables = [settings_table(groups)] if several else []
        tables += [
            side_by_side(kind) if several else next(iter(kind.values())) for kind in (losses, similarities) if kind
        ]
        scores = []
        for name, data in groups.items():
            scores += [f"{name}:"] if several else []
            try:
                scores += score_lines(data)
            except InvalidInput as reason:
                scores.append(f"no pattern score: {reason}")
        if self.out:  # first, since a reader of stdout may stop early
            text = "\n".join([*(table.markdown() for table in tables), *(f"    {line}" for line in scores)]) + "\n"
            with atomic_write(self.out) as part:
                part.write_text(text, encoding="utf-8")
        if self.json or self.csv:
            self._print_numbers(groups)
            return
        for table in tables:
            _print(table)
        print("\n".join(scores))

    def _print_numbers(self, groups: Mapping[str, Dataset]) -> None:
        """Print the numbers of the tables for programs."""
        import csv
        import sys

        from ..figures.lm.comparison import records, settings_table

        rows = [record for name, data in groups.items() for record in records(name, data)]
        if self.csv:
            writer = csv.DictWriter(sys.stdout, rows[0].keys(), lineterminator="\n")
            writer.writeheader()
            writer.writerows({name: plain(value) for name, value in record.items()} for record in rows)
            return
        differing = {row[0].text: [cell.text for cell in row[1:]] for row in settings_table(groups).rows}
        print_json({"runs": list(groups), "settings": differing, "rows": rows})


def _print(table: Table) -> None:
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    rich_table = RichTable()
    for name in table.header:
        rich_table.add_column(Text(name), justify="right")
    colors = {-1: "green", 0: "", 1: "red"}
    for row in table.rows:
        rich_table.add_row(*(Text(cell.marked, colors[cell.direction]) for cell in row))
    console = Console()
    console = console if console.is_terminal else Console(width=200)
    console.print(Text(table.title))
    console.print(rich_table)


@dataclass(frozen=True)
class LmFigure:
    """Draw runs: the loss by generation, or with --beta the embeddings of the models' completions."""

    runs: _RunFolders
    """Folders of runs that differ in seeds, α and β only."""
    out: Path
    """File to write: .png, .svg or .pdf, or .csv for the numbers that would be drawn."""
    beta: Annotated[float | None, tyro.conf.arg(metavar="FLOAT", help_behavior_hint="(default: draw the loss)")] = None
    """Draw the principal components of embeddings at this β, of the first seed that is finished there."""
    look: LookOptions = field(default_factory=LookOptions)

    def check(self) -> None:
        """Refuse runs that are missing, and a file that cannot be drawn."""
        check_runs(*self.runs)
        check_drawable(self.out)

    def run(self) -> None:
        """Draw the figure and write it."""
        from ..figures.lm.plots import embedding_figure, embedding_values, loss_figure, loss_values
        from ..figures.lm.runs import open_runs
        from ..figures.report import save_table, write_figure

        data = open_runs(self.runs)
        if self.out.suffix.lower() == ".csv":
            save_table(self.out, loss_values(data) if self.beta is None else embedding_values(data, self.beta))
            print(self.out)
            return
        with self.look.looking():
            write_figure(loss_figure(data) if self.beta is None else embedding_figure(data, self.beta), self.out)
        print(self.out)


@dataclass(frozen=True)
class LmEvaluate:
    """Loss and accuracy of a run's last models on its own tasks, or on other files."""

    run_folder: _RunFolder
    """Folder of the run."""
    alpha: float
    """α of the models."""
    beta: float
    """β of the models."""
    seed: _Seed = None
    """Seed of the models."""
    task: tyro.conf.UseAppendAction[list[Path]] = field(default_factory=list)
    """JSONL file to evaluate on; repeat the option for more."""
    items: int = 200
    """Number of examples per file."""
    json: bool = False
    """Print one JSON object."""

    def check(self) -> None:
        """Refuse a run that is missing, and files that cannot be read."""
        check_runs(self.run_folder)
        for path in self.task:
            check_readable(path)

    def run(self) -> None:
        """Evaluate the models and print the results."""
        from ..sim.lm import evaluate_files, open_cell

        cell = open_cell(self.run_folder, self.seed, self.alpha, self.beta)
        found = evaluate_files(cell, self.task, self.items)
        if self.json:
            print_json({"tasks": found.tasks, "items": found.items, "loss": found.loss, "accuracy": found.accuracy})
            return
        tasks = [f"{task} ({items} items)" for task, items in zip(found.tasks, found.items, strict=True)]
        for name, values in (("loss (nats per token)", found.loss), ("exact answers", found.accuracy)):
            rows = ((f"model {k + 1}", *row) for k, row in enumerate(values))
            print_table(f"{name}, generation {cell.generation}", ["", *tasks], rows)


@dataclass(frozen=True)
class LmGenerate:
    """Complete a prompt with a run's last models."""

    run_folder: _RunFolder
    """Folder of the run."""
    prompt: str
    """Text to complete."""
    alpha: float
    """α of the models."""
    beta: float
    """β of the models."""
    seed: _Seed = None
    """Seed of the models."""
    temperature: Annotated[float | None, tyro.conf.arg(metavar="FLOAT", help_behavior_hint="(default: the run's)")] = (
        None
    )
    """Sampling temperature; 0 chooses the likeliest tokens."""

    def check(self) -> None:
        """Refuse a run that is missing."""
        check_runs(self.run_folder)

    def run(self) -> None:
        """Generate the completions and print them."""
        from ..sim.lm import complete_prompt, open_cell

        cell = open_cell(self.run_folder, self.seed, self.alpha, self.beta)
        texts = complete_prompt(cell, self.prompt, self.temperature)
        for entity, text in enumerate(texts, 1):
            print(f"model {entity}: {self.prompt}{text}")
