"""The algebra of recursive training, written once for the arrays of NumPy and of JAX, and importing neither JAX nor Equinox.

Functions take their array library from their arguments (`arrays.namespace`), so that one point needs no JAX at all: `limit` and
`trajectory` of this package are what the commands of these names call. `crossfeed.theory` calls the same functions with JAX's
arrays, makes the records pytrees, and adds what JAX alone has: derivatives, batches and compiled loops. Steps whose control flow
depends on values are generic functions (`functools.singledispatch`): written for NumPy here, registered for JAX there.

Stacks of matrices are allowed wherever shapes say so; `crossfeed.theory` explains the symbols.
"""
