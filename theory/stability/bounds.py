"""The bounds of the spectral radius from JAX's arrays; outside of what JAX compiles, every call is one program."""

from functools import partial

from crossfeed.formulas.stability import anchor, knowledge, prompts, universal
from crossfeed.formulas.stability import common_prompts as criterion
from crossfeed.formulas.stability import lemma1 as lemma
from crossfeed.formulas.stability import lemma1_extended as extension

from ..eager import as_one_program

_one_program = partial(as_one_program, module=__name__)

anchor_bound = _one_program()(anchor.anchor_bound)
common_prompts = _one_program()(criterion.common_prompts)
knowledge_bound = _one_program()(knowledge.knowledge_bound)
lemma1 = _one_program()(lemma.lemma1)
lemma1_beyond = _one_program()(lemma.lemma1_beyond)
lemma1_bound = _one_program()(lemma.lemma1_bound)
lemma1_extended = _one_program()(extension.lemma1_extended)
prompt_bound = _one_program()(prompts.prompt_bound)
sharp_knowledge_bound = _one_program()(knowledge.sharp_knowledge_bound)
universal_bound = _one_program()(universal.universal_bound)
