"""Symbolic proofs of matrix identities for general K and d, by algebra with noncommuting symbols.

A noncommuting symbol stands for a matrix of any size, so an identity of noncommutative polynomials holds for matrices
of all sizes for which the products are defined. Known properties of the matrices (G G⁻¹ = I, Π² = Π) enter as rules
that replace a product by something simpler.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sympy import Add, Expr, Matrix, Mul, S, Symbol, expand, sympify, zeros

from .ledger import Finding

Rules = Mapping[Expr, Expr | int]
"""What a product of matrices is equal to, by product."""


def matrices(names: str) -> list[Symbol]:
    """Noncommuting symbols for matrices without further properties; SymPy's `adjoint` is their transpose."""
    return [Symbol(name, commutative=False) for name in names.split()]


def symmetric(names: str) -> list[Symbol]:
    """Noncommuting symbols for symmetric matrices."""
    return [Symbol(name, commutative=False, hermitian=True) for name in names.split()]


def scalars(names: str) -> list[Symbol]:
    """Commuting symbols for positive numbers."""
    return [Symbol(name, positive=True) for name in names.split()]


def indexed(name: str, count: int) -> str:
    """Names of `count` symbols, `name` followed by 0, 1, …, as the functions above take them."""
    return " ".join(f"{name}{index}" for index in range(count))


def inverse_rules(*pairs: tuple[Expr, Expr]) -> dict[Expr, Expr]:
    """Rules that replace the product of a matrix and its inverse, in either order, by the identity."""
    return {product: S.One for a, b in pairs for product in (a * b, b * a)}


def reduce(expression: Expr, rules: Rules) -> Expr:
    """The expanded polynomial after the rules have been applied to every product until nothing changes."""
    expression = expand(expression)
    while True:
        reduced = expression
        for product, simpler in rules.items():
            reduced = expand(reduced.subs(product, simpler))
        if reduced == expression:
            return reduced
        expression = reduced


def same(left: Expr | Matrix | int, right: Expr | Matrix | int, rules: Rules | None = None) -> Finding:
    """Whether two polynomials, or two block matrices of polynomials, are equal under the rules."""
    difference = left - right
    if isinstance(difference, Matrix):
        rest = difference.applyfunc(lambda entry: _normal_form(entry, rules or {}))
        return _vanishes(rest, rest == zeros(*rest.shape))
    rest = _normal_form(sympify(difference), rules or {})
    return _vanishes(rest, rest == 0)


def all_hold(findings: Iterable[Finding]) -> Finding:
    """The first finding that does not hold; if all hold, one finding with every distinct message."""
    findings = list(findings)
    bad = [finding for finding in findings if finding.holds is not True]
    if bad:
        return bad[0]
    texts = list(dict.fromkeys(finding.says for finding in findings))
    return Finding(True, "; ".join(texts))


def _normal_form(expression: Expr, rules: Rules) -> Expr:
    """The reduced polynomial with like monomials collected and every coefficient in lowest terms."""
    reduced = reduce(expression, rules)
    coefficients: dict[Expr, Expr] = {}
    term: Any
    for term in Add.make_args(reduced):
        commuting, noncommuting = term.args_cnc()
        monomial = Mul(*noncommuting)
        coefficients[monomial] = coefficients.get(monomial, S.Zero) + Mul(*commuting)
    return sum((value.cancel() * monomial for monomial, value in coefficients.items()), S.Zero)


def _vanishes(rest: Expr | Matrix, zero: bool) -> Finding:
    return Finding(zero, f"the difference of the two sides {'reduces to 0' if zero else f'is {rest}'}")
