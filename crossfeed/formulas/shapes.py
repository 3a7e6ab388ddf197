"""Shapes in annotations: jaxtyping's where it has been imported, as for JAX and for tests, which check them; else no types at all.

Importing jaxtyping takes as long as importing NumPy.
"""

import sys
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jax import Array as Array
    from numpy.typing import ArrayLike

    Numbers: TypeAlias = ArrayLike | Array | Sequence[Any]
else:
    Array = Any  # of either library
    Numbers = Any  # a number, an array, or nested sequences of numbers

if TYPE_CHECKING or "jaxtyping" in sys.modules:
    from jaxtyping import Bool as Bool
    from jaxtyping import Float as Float
    from jaxtyping import Int as Int
else:

    class _Unchecked:
        def __class_getitem__(cls, shape: Any) -> Any:
            return Any

    Bool = Float = Int = _Unchecked

Scalar: TypeAlias = float | Float[Array, ""]
"""A number that may be traced. A Python float is part of the program that `eqx.filter_jit` compiles."""
