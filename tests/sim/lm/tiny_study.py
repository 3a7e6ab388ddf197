"""The smallest study that does everything."""

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
[tokenizer]
vocabulary = 280
[model]
layers = 1
width = 16
heads = 2
context = 300
pretrain_steps = 2
[training]
steps = 2
batch = 2
length = 256
learning_rate = 1e-2
[pool]
new_tokens = 6
[measures]
test_items = 8
text_items = 3
text_every = 2
"""
