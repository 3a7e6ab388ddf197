"""Language models that train on each other's text: section 6 of the paper as software.

The rooms follow the flow of one generation t of a cell (α, β, seed). In outline, without resuming and progress, it is this:

    study = read_study(Path("study.toml"))  # study: what to run
    inputs = read_inputs(study)  # data: texts as tokens
    models = Bases(study, inputs, folder, report).population(seed)  # model: one transformer per entity, stacked

    published = draw_prompts(study, inputs.corpus, seed, t)  # exchange: the prompts that each entity completes,
    draws = draw_texts(study, inputs.corpus, published, alpha, beta, seed, t)  # the texts that each entity trains on,
    complete = partial(best_completions, models, study, published, key, report)  # and the best of several completions,
    generate_texts_read(draws, published, study.training, complete)  # generated where a training set reads them
    training_sets = pack_training_sets(study, draws, seed, t)
    models, losses = models.train([one.rows for one in training_sets], study.training)  # train
    measures["loss"][t] = Measurer(study, inputs.corpus, inputs.tokenizer).losses(models)  # evaluation
    checkpoints.save(t, {"models": models.state, "measures": measures})  # run

`run/run.py` runs this for all cells and generations. Settings and commands are in docs/language_models/guide.md.
"""

from .model.formats.pretrained import save_pretrained as save_pretrained
from .run.evaluate import Evaluation as Evaluation
from .run.evaluate import OpenCell as OpenCell
from .run.evaluate import complete_prompt as complete_prompt
from .run.evaluate import evaluate_files as evaluate_files
from .run.evaluate import open_cell as open_cell
from .run.measures_store import measured_inputs as measured_inputs
from .run.measures_store import measured_study as measured_study
from .run.measures_store import open_measures as open_measures
from .run.progress import Progress as Progress
from .run.run_folder import check_held as check_held
from .run.run_folder import holds_run as holds_run
from .run.start import start_run as start_run
from .study.quick import quick_study as quick_study
from .study.study import SCRATCH as SCRATCH
from .study.study import Study as Study
from .study.study_file import parse_study as parse_study
from .study.study_file import read_study as read_study
