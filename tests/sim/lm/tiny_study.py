"""The smallest study that does everything."""

from pathlib import Path

import numpy as np

TINY = """
[study]
alpha = [0, 1]
beta = [0.5]
generations = 2
samples = 40
[[entity]]
task = "science:biology"
[[entity]]
task = "arithmetic:work"
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


def write_public_text(folder: Path) -> None:
    """The study's public text: words in random order."""
    words = np.random.default_rng(0).choice(["tale", "of", "two", "cities", "far", "away"], 4000)
    (folder / "public.txt").write_text(" ".join(words))
