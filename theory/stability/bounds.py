"""The bounds of the spectral radius for JAX's arrays; outside of transformations, every call is one program."""

from crossfeed.formulas.stability import anchor, knowledge, prompts, summary, universal
from crossfeed.formulas.stability import common_prompts as criterion
from crossfeed.formulas.stability import lemma1 as lemma
from crossfeed.formulas.stability import lemma1_extended as extension

from ..eager import as_one_program

anchor_bound = as_one_program()(anchor.anchor_bound)
common_prompts = as_one_program()(criterion.common_prompts)
knowledge_bound = as_one_program()(knowledge.knowledge_bound)
lemma1 = as_one_program()(lemma.lemma1)
lemma1_beyond = as_one_program()(lemma.lemma1_beyond)
lemma1_bound = as_one_program()(lemma.lemma1_bound)
lemma1_extended = as_one_program()(extension.lemma1_extended)
prompt_bound = as_one_program()(prompts.prompt_bound)
sharp_knowledge_bound = as_one_program()(knowledge.sharp_knowledge_bound)
summarize_stability = as_one_program()(summary.summarize_stability)
universal_bound = as_one_program()(universal.universal_bound)
