"""The workflow: how entities fit, what they read, and what they remember."""

from dataclasses import dataclass

from crossfeed.errors import InvalidInput

from .estimators import Estimator, GradientSteps, LeastSquares
from .memories import Accumulate, Memory, Replace
from .pools import Pool, Shared


@dataclass(frozen=True)
class Workflow:
    """One generation of recursive training, made of parts; the default of each is the paper's.

    Attributes:
        estimator: how an entity turns its training data into an estimate.
        pool: what of the published data each entity reads.
        memory: what entities keep of the pools of earlier generations.

    Raises:
        InvalidInput: gradient steps of one size are to be taken on data that accumulate.

    Example:
        >>> from crossfeed.theory import Accumulate, Ridge, Workflow
        >>> workflow = Workflow(estimator=Ridge(0.1), memory=Accumulate())
        >>> print(workflow.estimator, workflow.memory)
        Ridge(penalty=0.1) Accumulate()
    """

    estimator: Estimator = LeastSquares()  # noqa: RUF009, none of the parts can change
    pool: Pool = Shared()  # noqa: RUF009
    memory: Memory = Replace()  # noqa: RUF009

    def __post_init__(self) -> None:
        for name, kind in (("estimator", Estimator), ("pool", Pool), ("memory", Memory)):
            if not isinstance(getattr(self, name), kind):
                raise InvalidInput(f"{name} is {getattr(self, name)}, but must be an Abstract{kind.__name__}")
        if isinstance(self.estimator, GradientSteps) and isinstance(self.memory, Accumulate):
            raise InvalidInput(
                f"estimator is {self.estimator}, whose steps are too long sooner or later for data that grow with memory "
                f"{self.memory}: forget at a rate instead"
            )


PAPER = Workflow()
"""The workflow of the paper (§4): least squares, one shared pool, nothing remembered of earlier pools."""
