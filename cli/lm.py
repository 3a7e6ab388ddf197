"""`crossfeed lm`: language models that train on each other's text."""

from dataclasses import dataclass, field
from pathlib import Path

import tyro

from .interruption import leave_at_once
from .output import print_json, print_table
from .processes import Processes


@dataclass(frozen=True)
class LmRun:
    """Run the study that a TOML file describes (docs/language_models.md); with --quick instead, a small one that needs no data.

    Killed at any moment and continued with --resume, it ends with the same measures. With several processes, on one host
    or many, start the command once for each; all have to see the same files.
    """

    config: tyro.conf.Positional[Path | None] = None
    """CONFIG.toml."""
    out: Path | None = None
    """The run's folder; results/lm-quick with --quick."""
    resume: bool = False
    """Go on with the run instead of starting it."""
    quick: bool = False
    """The built-in study: two small models, science and arithmetic, β = 0.5 and α = 0, 0.5, 1; minutes on two cores."""
    shared: Processes = field(default_factory=Processes)

    def run(self) -> None:
        """Run, and print the losses."""
        from .progress import progress_bar

        leave_at_once(lambda: self.resume)  # what follows imports much
        from crossfeed.errors import InvalidInput
        from crossfeed.multihost import together

        from ..sim.lm import Progress, holds_run, quick_study, read_study, start_run

        if (self.config is None) != self.quick:
            raise InvalidInput("give either CONFIG.toml or --quick")
        if self.out is None and not self.quick:
            raise InvalidInput("out is missing: name the run's folder with --out")
        self.shared.join()
        config = self.config
        study = quick_study() if config is None else together(lambda: read_study(config))
        out = self.out or Path("results/lm-quick")
        leave_at_once(lambda: holds_run(out))
        with progress_bar("{task.fields[rate]}") as progress:
            task = progress.add_task("reading text", rate="", total=None)
            tokens = 0

            def listen(now: Progress) -> None:
                nonlocal tokens
                tokens += now.tokens
                elapsed = progress.tasks[task].elapsed
                rate = f"{tokens / elapsed:,.0f} tokens/s" if elapsed and tokens else ""
                progress.update(task, completed=now.done, total=now.total, rate=rate)
                if now.doing:
                    progress.update(task, description=now.doing)
                if now.note and self.shared.process == 0:
                    progress.console.print(now.note, highlight=False, markup=False)

            start_run(study, out, self.resume, listen)
        if self.shared.process == 0:
            LmTable((out,)).run()
            print(out)


@dataclass(frozen=True)
class LmTable:
    """Print a run's tables: losses and likeness, first → last, and the pattern score where the run has the paper's form.

    Falls by more than 0.1 are green, rises red. Several runs that differ in seeds, α and β make one table.
    """

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of runs."""
    out: Path | None = None
    """Write the tables here too, in Markdown."""

    def run(self) -> None:
        """Print, and write."""
        from crossfeed.atomic_write import atomic_write
        from crossfeed.errors import InvalidInput

        from ..figures.lm.runs import open_runs
        from ..figures.lm.tables import loss_table, score_lines, similarity_table

        data = open_runs(self.runs)
        tables = [loss_table(data)]
        if data.sizes["entity"] > 1:
            tables.append(similarity_table(data))
        try:
            scores = score_lines(data)
        except InvalidInput as reason:
            scores = [f"no pattern score: {reason}"]
        if self.out:  # first, because what reads the printed tables may stop reading
            text = "\n".join([*(table.markdown() for table in tables), *(f"    {line}" for line in scores)]) + "\n"
            with atomic_write(self.out) as part:
                part.write_text(text, encoding="utf-8")
        for table in tables:
            _print(table)
        print("\n".join(scores))


def _print(table) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rich_table = Table()
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
    """Draw a run: loss against generation, or with --beta the embeddings of what the models write."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of runs that differ in seeds, α and β only."""
    out: Path
    """File to write: .png, .svg or .pdf."""
    beta: float | None = None
    """Draw the principal components of embeddings at this β, of the first seed that is finished there."""

    def run(self) -> None:
        """Draw and write."""
        from ..figures.lm.plots import embedding_figure, loss_figure
        from ..figures.lm.runs import open_runs
        from ..figures.report import write_figure

        data = open_runs(self.runs)
        write_figure(loss_figure(data) if self.beta is None else embedding_figure(data, self.beta), self.out)
        print(self.out)


@dataclass(frozen=True)
class LmEvaluate:
    """Loss and accuracy of a run's last models on its own tasks, or on other files."""

    run_folder: tyro.conf.Positional[Path]
    """The run's folder."""
    alpha: float
    """Which cell: its α."""
    beta: float
    """Which cell: its β."""
    seed: int | None = None
    """Which cell: its seed; the first one if not given."""
    task: tyro.conf.UseAppendAction[list[Path]] = field(default_factory=list)
    """A JSONL file to evaluate on; repeat the option for more."""
    items: int = 200
    """Examples of each file."""
    json: bool = False
    """Print one JSON object."""

    def run(self) -> None:
        """Evaluate and print."""
        from ..sim.lm import evaluate_files, open_cell

        cell = open_cell(self.run_folder, self.seed, self.alpha, self.beta)
        found = evaluate_files(cell, self.task, self.items)
        if self.json:
            print_json({"tasks": found.tasks, "items": found.items, "loss": found.loss, "accuracy": found.accuracy})
            return
        tasks = [f"{task} ({items} items)" for task, items in zip(found.tasks, found.items, strict=True)]
        for name, values in (("loss (nats a token)", found.loss), ("exact answers", found.accuracy)):
            rows = ((f"model {k + 1}", *row) for k, row in enumerate(values))
            print_table(f"{name}, generation {cell.generation}", ["", *tasks], rows)


@dataclass(frozen=True)
class LmGenerate:
    """Let a run's last models complete a prompt."""

    run_folder: tyro.conf.Positional[Path]
    """The run's folder."""
    prompt: str
    """What to complete."""
    alpha: float
    """Which cell: its α."""
    beta: float
    """Which cell: its β."""
    seed: int | None = None
    """Which cell: its seed; the first one if not given."""
    temperature: float | None = None
    """Of sampling; the run's if not given, 0 for the likeliest tokens."""

    def run(self) -> None:
        """Write and print."""
        from ..sim.lm import complete_prompt, open_cell

        cell = open_cell(self.run_folder, self.seed, self.alpha, self.beta)
        texts = complete_prompt(cell, self.prompt, self.temperature)
        for entity, text in enumerate(texts, 1):
            print(f"model {entity}: {self.prompt}{text}")
