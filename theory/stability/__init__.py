"""Who can diverge, and what prevents it: one theorem per file (`docs/theory.md`, sections 3 and 4)."""

from .anchor import AnchorBound as AnchorBound
from .anchor import anchor_bound as anchor_bound
from .common_prompts import CommonPrompts as CommonPrompts
from .common_prompts import common_prompts as common_prompts
from .conditions import CONDITIONS as CONDITIONS
from .knowledge import KnowledgeBound as KnowledgeBound
from .knowledge import knowledge_bound as knowledge_bound
from .knowledge import sharp_knowledge_bound as sharp_knowledge_bound
from .lemma1 import Lemma1 as Lemma1
from .lemma1 import Lemma1Beyond as Lemma1Beyond
from .lemma1 import lemma1 as lemma1
from .lemma1 import lemma1_beyond as lemma1_beyond
from .lemma1 import lemma1_bound as lemma1_bound
from .lemma1_extended import Lemma1Extended as Lemma1Extended
from .lemma1_extended import lemma1_extended as lemma1_extended
from .prompts import PromptBound as PromptBound
from .prompts import prompt_bound as prompt_bound
from .prompts import worst_private_data as worst_private_data
from .random_ecosystems import random_growth as random_growth
from .random_ecosystems import random_misaligned as random_misaligned
from .random_ecosystems import random_threshold as random_threshold
from .summary import PaperStatements as PaperStatements
from .summary import StabilityBound as StabilityBound
from .summary import StabilitySummary as StabilitySummary
from .summary import summarize_stability as summarize_stability
from .universal import universal_bound as universal_bound
