"""Symbolic block algebra for general K and d: words of non-commuting letters, each letter a matrix of any size.

An identity of such words is an identity of matrices of every size for which the products make sense. What is known of
the letters (G G⁻¹ = I, Π² = Π) enters as rules that replace a product by something simpler.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sympy import Add, Expr, Matrix, S, Symbol, expand, sympify, zeros

from .ledger import Finding

Rules = Mapping[Expr, Expr | int]


def letters(names: str) -> list[Symbol]:
    """Matrices without further properties; the transpose is SymPy's `adjoint`."""
    return [Symbol(name, commutative=False) for name in names.split()]


def symmetric(names: str) -> list[Symbol]:
    """Symmetric matrices."""
    return [Symbol(name, commutative=False, hermitian=True) for name in names.split()]


def scalars(names: str) -> list[Symbol]:
    """Positive numbers."""
    return [Symbol(name, positive=True) for name in names.split()]


def inverse_rules(*pairs: tuple[Expr, Expr]) -> dict[Expr, Expr]:
    """Rules for letters and their inverses."""
    return {product: S.One for a, b in pairs for product in (a * b, b * a)}


def reduce(expression: Expr, rules: Rules) -> Expr:
    """Apply the rules to every product until nothing changes."""
    expression = expand(expression)
    while True:
        reduced = expression
        for product, simpler in rules.items():
            reduced = expand(reduced.subs(product, simpler))
        if reduced == expression:
            return reduced
        expression = reduced


def same(left, right, rules: Rules | None = None) -> Finding:
    """Whether two words, or two block matrices of words, are equal under the rules."""
    difference = left - right
    if isinstance(difference, Matrix):
        rest = difference.applyfunc(lambda entry: _simple(entry, rules or {}))
        return _vanishes(rest, rest == zeros(*rest.shape))
    rest = _simple(sympify(difference), rules or {})
    return _vanishes(rest, rest == 0)


def all_hold(findings: Iterable[Finding]) -> Finding:
    """Hold if each does; say what the first that does not says."""
    findings = list(findings)
    bad = [finding for finding in findings if finding.holds is not True]
    if bad:
        return bad[0]
    texts = list(dict.fromkeys(finding.says for finding in findings))
    return Finding(True, "; ".join(texts))


def _simple(expression: Expr, rules: Rules) -> Expr:
    """Reduce a word and gather the coefficient of every product in lowest terms."""
    reduced = reduce(expression, rules)
    coefficients: dict[Expr, Expr] = {}
    term: Any
    for term in Add.make_args(reduced):
        scalar, word = term.args_cnc()
        product = S.One
        for letter in word:
            product *= letter
        number = S.One
        for factor in scalar:
            number *= factor
        coefficients[product] = coefficients.get(product, S.Zero) + number
    return sum((value.cancel() * product for product, value in coefficients.items()), S.Zero)


def _vanishes(rest, zero: bool) -> Finding:
    return Finding(zero, f"the difference of both sides {'reduces to 0' if zero else f'is {rest}'}")
