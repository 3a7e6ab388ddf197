"""The built-in study, which needs no data and no network."""

from .study import Study
from .study_file import parse_study

_QUICK = """
[study]
alpha = [0, 0.5, 1]
beta = [0.5]
generations = 5
samples = 2000

[[entity]]
task = "science"

[[entity]]
task = "arithmetic"

[model]
layers = 2
width = 64
heads = 4
context = 128
pretrain_steps = 100
pretrain_rate = 3e-3

[initial]
steps = 300
learning_rate = 3e-3

[training]
steps = 30
batch = 16
length = 128
learning_rate = 1e-3
warmup = 0.1

[pool]
new_tokens = 64

[measures]
test_items = 200
text_items = 32
text_every = 5
"""


def quick_study() -> Study:
    """The built-in study: two small new models, science and arithmetic, five generations at β = 0.5 and α = 0, 0.5, 1.

    Returns:
        The study, which runs for minutes on two cores.

    Example:
        >>> from crossfeed.sim.lm import quick_study
        >>> study = quick_study()
        >>> [entity.task for entity in study.entities], study.generations, study.alpha
        (['science', 'arithmetic'], 5, (0.0, 0.5, 1.0))
    """
    return parse_study(_QUICK, "the quick study")
