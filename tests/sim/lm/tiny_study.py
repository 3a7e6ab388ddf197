"""The smallest study that does everything."""

import json
from pathlib import Path

import numpy as np
from crossfeed.sim.lm.data.builtin_tasks import builtin_task
from crossfeed.sim.lm.data.task_files import read_examples

TINY = """
[study]
alpha = [0, 1]
beta = [0.5]
generations = 2
samples = 40
[[entity]]
task = "biology.jsonl"
[[entity]]
task = "work.jsonl"
[public]
text = "public.txt"
[tokenizer]
vocabulary = 512
[model]
layers = 1
width = 16
heads = 2
context = 160
pretrain_steps = 2
[training]
steps = 2
batch = 2
length = 128
learning_rate = 1e-2
[pool]
new_tokens = 6
[measures]
test_items = 8
text_items = 3
text_every = 2
"""


def write_texts(folder: Path) -> None:
    """What the study reads: a hundred questions of each task, and words in random order."""
    for name in ("science:biology", "arithmetic:work"):
        path, examples = folder / f"{name.partition(':')[2]}.jsonl", builtin_task(name, 100).train
        questions = (
            {
                "question": example.prompt.removeprefix("Question: ").removesuffix("\nAnswer:"),
                "answer": example.completion,
            }
            for example in examples
        )
        path.write_text("\n".join(map(json.dumps, questions)))
        assert read_examples(path) == examples
    words = np.random.default_rng(0).choice(["tale", "of", "two", "cities", "far", "away"], 4000)
    (folder / "public.txt").write_text(" ".join(words))
