"""The checks, one module per family of claims; importing this package registers all of them."""

from . import accumulation as accumulation
from . import accumulation_limits as accumulation_limits
from . import baselines as baselines
from . import common_prompts as common_prompts
from . import consensus as consensus
from . import errata as errata
from . import gradient_steps as gradient_steps
from . import human_authors as human_authors
from . import lemma1_beyond as lemma1_beyond
from . import lemma1_condition as lemma1_condition
from . import lemma1_proof as lemma1_proof
from . import lemma1_search as lemma1_search
from . import networks as networks
from . import ridge as ridge
from . import symmetric as symmetric
from . import theorem1 as theorem1
from . import theorem2 as theorem2
from . import theorem3 as theorem3
from . import theorem_k as theorem_k
from . import theorem_u as theorem_u
from . import theorem_u_tight as theorem_u_tight
from . import truths as truths
from . import volume as volume
from . import workflows as workflows
from . import worst_case_search as worst_case_search
