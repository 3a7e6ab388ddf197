"""What follows from the exact theory for those who train: best weights, selfish entities, estimation from observations."""

from .best_weights import Best as Best
from .best_weights import Design as Design
from .best_weights import Front as Front
from .best_weights import best_design as best_design
from .best_weights import best_schedule as best_schedule
from .best_weights import best_weights as best_weights
from .best_weights import pareto_front as pareto_front
from .coalitions import Partition as Partition
from .coalitions import coalition_costs as coalition_costs
from .coalitions import partitions as partitions
from .games import Equilibrium as Equilibrium
from .games import best_responses as best_responses
from .games import equilibria as equilibria
from .games import own_task_errors as own_task_errors
from .games import publishing as publishing
from .objectives import AbstractObjective as AbstractObjective
from .objectives import MeanEfficiency as MeanEfficiency
from .objectives import MeanError as MeanError
from .objectives import Measure as Measure
from .objectives import OwnTask as OwnTask
from .objectives import Priced as Priced
from .objectives import WorstError as WorstError
from .texts import TextHomogenization as TextHomogenization
from .texts import Written as Written
from .texts import compare_texts as compare_texts
from .texts import read_written as read_written
