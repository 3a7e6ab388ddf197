"""Who can diverge, and what prevents it: one theorem per file (`docs/theory.md`, sections 3 and 4)."""

from crossfeed.formulas.stability.anchor import AnchorBound as AnchorBound
from crossfeed.formulas.stability.common_prompts import CommonPrompts as CommonPrompts
from crossfeed.formulas.stability.conditions import CONDITIONS as CONDITIONS
from crossfeed.formulas.stability.knowledge import KnowledgeBound as KnowledgeBound
from crossfeed.formulas.stability.lemma1 import Lemma1 as Lemma1
from crossfeed.formulas.stability.lemma1 import Lemma1Beyond as Lemma1Beyond
from crossfeed.formulas.stability.lemma1_extended import Lemma1Extended as Lemma1Extended
from crossfeed.formulas.stability.prompts import PromptBound as PromptBound
from crossfeed.formulas.stability.summary import PaperStatements as PaperStatements
from crossfeed.formulas.stability.summary import StabilityBound as StabilityBound
from crossfeed.formulas.stability.summary import StabilitySummary as StabilitySummary
from crossfeed.formulas.stability.summary import summarize_stability as summarize_stability

from . import compiled as _  # noqa: F401, loops under JAX
from .bounds import anchor_bound as anchor_bound
from .bounds import common_prompts as common_prompts
from .bounds import knowledge_bound as knowledge_bound
from .bounds import lemma1 as lemma1
from .bounds import lemma1_beyond as lemma1_beyond
from .bounds import lemma1_bound as lemma1_bound
from .bounds import lemma1_extended as lemma1_extended
from .bounds import prompt_bound as prompt_bound
from .bounds import sharp_knowledge_bound as sharp_knowledge_bound
from .bounds import universal_bound as universal_bound
from .random_ecosystems import random_growth as random_growth
from .random_ecosystems import random_misaligned as random_misaligned
from .random_ecosystems import random_threshold as random_threshold
from .worst_private_data import worst_private_data as worst_private_data
