"""Logistic and Poisson regression against the linear theory with the Fisher information in place of the Gram matrices."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.optimize import curve_fit

from crossfeed.formulas.shapes import Scalar
from crossfeed.random_keys import seeded_key

from ...sim.regression import Bernoulli, Gaussian, Poisson, Regression, fisher_ecosystem, simulate_regression
from ...sim.regression.labels import AbstractLabels
from ...sim.regression.regression import Run, begin, proceed
from ...sim.sharding import sharded_vmap
from ...theory import Features, Weights, baselines, mse, trajectory
from ..report import Report, Request, save
from ..style import COLORS, DASHES, MARKERS, grid_of_axes, line, points, styled, wide_line
from .programs import COMPILER_OPTIONS
from .table import table_of_panels

ROWS = (50, 100, 200, 500, 1000, 2000)  # n of every dataset
SHOWN = (1, 5)  # generations
WEIGHTS = Weights(0.5, 0.5)
INPUTS = 10  # different inputs of a dataset
CASES: dict[str, tuple[AbstractLabels, tuple[float, float]]] = {  # labels and θ: an intercept and a slope
    "logistic": (Bernoulli(), (0.5, 1.0)),
    "Poisson": (Poisson(), (-0.5, 0.5)),
}
PUBLISHED = {  # MSE and standard error of 100 seeds of the authors' released code, MukaiCodes/Model_Collapse_Codes
    "linear": (Gaussian(), 0.01350, 0.00023),
    "logistic": (Bernoulli(), 0.1155, 0.0031),
    "Poisson": (Poisson(), 0.00409, 0.00008),
}
PUBLISHED_ROWS, PUBLISHED_TRUTH, PUBLISHED_ALPHA = 100, (1.0, 1.0), 0.5  # real rows, and as many synthetic ones
EVENTS, LAST = (
    10,
    50,
)  # expected number in the real data that dies out; last generation, of which the first is fitted to them

_ABOVE_NOISE = 3.0  # standard errors, of the first point of a fit
_NODES = 60  # of the quadrature over a Gaussian input


@dataclass(frozen=True)
class Fit:
    """A power of n fitted to relative excesses.

    Attributes:
        exponent: of n; NaN if the first excess does not stand out of its noise.
        error: its standard error.
        size: value at n = 1.
    """

    exponent: float
    error: float
    size: float


@dataclass(frozen=True)
class Universality:
    """The numbers of the figure.

    Attributes:
        excess: simulated mean MSE over the linear theory, less 1, by labels.
        excess_se: its standard error.
        replicates: number of replicates behind these.
        survival: fraction of replicates with a finite estimate, at generations 1, 2, …
        survival_se: its standard error.
        counted: number of replicates behind these.
        linear: MSE of the linear theory for the published settings.
        seed: seed of all random numbers.
    """

    excess: dict[str, Float[np.ndarray, "n shown"]]
    excess_se: dict[str, Float[np.ndarray, "n shown"]]
    replicates: int
    survival: Float[np.ndarray, " generation"]
    survival_se: Float[np.ndarray, " generation"]
    counted: int
    linear: dict[str, float]
    seed: int

    def fits(self) -> dict[tuple[str, int], Fit]:
        """Power of n for every series of the first panel."""
        return {
            (name, generation): fit_power(
                np.array(ROWS, dtype=float), self.excess[name][:, i], self.excess_se[name][:, i]
            )
            for name in CASES
            for i, generation in enumerate(SHOWN)
        }


class Repeated(AbstractLabels):
    """Mean of independent labels at the same input: what a fit needs to know of them.

    Attributes:
        case: index into `CASES` of the distribution of one label, so that one program serves all.
        times: number of labels.
    """

    case: Int[Array, ""]
    times: Scalar

    def draw(self, key: PRNGKeyArray, predictor: Float[Array, "*rows"]) -> Float[Array, "*rows"]:
        """Mean of the labels."""
        sums = [
            lambda: jax.random.binomial(key, jnp.asarray(self.times), jax.nn.sigmoid(predictor)),
            lambda: jax.random.poisson(key, self.times * jnp.exp(predictor)).astype(float),
        ]
        return jax.lax.switch(self.case, sums) / self.times

    def loss(self, label: Float[Array, "*rows"], predictor: Float[Array, "*rows"]) -> Float[Array, "*rows"]:
        """Loss of all labels."""
        return self._of_all("loss", label, predictor)

    def slope(self, label: Float[Array, "*rows"], predictor: Float[Array, "*rows"]) -> Float[Array, "*rows"]:
        """Derivative of that loss by the predictor."""
        return self._of_all("slope", label, predictor)

    def information(self, predictor: Float[Array, "*rows"]) -> Float[Array, "*rows"]:
        """Fisher information of all labels."""
        return self._of_all("information", predictor)

    def _of_all(self, name: str, *data: Float[Array, "*rows"]) -> Float[Array, "*rows"]:
        of_one = [getattr(labels, name) for labels, _ in CASES.values()]
        return self.times * jax.lax.switch(self.case, of_one, *data)


def inputs(seed: int) -> Features:
    """Different inputs of all datasets of two entities: an intercept and a uniform variable."""
    spread = np.random.default_rng(seed).uniform(-1.5, 1.5, (5, INPUTS))
    rows = np.stack([np.ones_like(spread), spread], axis=-1)
    return Features(rows[:2], rows[2], rows[3:])


def compute(seed: int, replicates: int, counted: int) -> Universality:
    """Numbers of all panels.

    Args:
        seed: of all random numbers.
        replicates: number of replicates for each n.
        counted: number of replicates for the survival.
    """
    features, keys = inputs(seed), jax.random.split(seeded_key(seed), (len(CASES), len(ROWS)))
    program = jax.jit(
        lambda labels, truth, key: excess(features, labels, truth, replicates, key), compiler_options=COMPILER_OPTIONS
    )
    found = {
        name: np.array(
            [
                program(Repeated(jnp.asarray(case), jnp.asarray(n / INPUTS)), jnp.array(truth), key)
                for n, key in zip(ROWS, keys[case], strict=True)
            ]
        )[..., np.array(SHOWN)]
        for case, (name, (_, truth)) in enumerate(CASES.items())
    }
    survival = survived(seed, counted)
    return Universality(
        {name: values[:, 0] for name, values in found.items()},
        {name: values[:, 1] for name, values in found.items()},
        replicates,
        survival,
        np.sqrt(survival * (1 - survival) / counted),
        counted,
        {name: fresh_limit(labels) for name, (labels, _, _) in PUBLISHED.items()},
        seed,
    )


def excess(
    features: Features, labels: AbstractLabels, truth: Float[Array, " d"], replicates: int, key: PRNGKeyArray
) -> tuple[Float[Array, " generation"], Float[Array, " generation"]]:
    """Relative excess of the simulated mean MSE over the linear theory at generations 0, 1, …, with its standard error.

    Every replicate also computes linear estimates from its own labels, with their noise scaled to the variance that it has at the
    truth. The linear theory is their exact law. So the mean of what the squared errors of the two differ by is what the linear
    theory lacks, and little noise is left in it; less, after regression on the linear errors, whose mean is zero.
    """
    regression, ecosystem = Regression(features, truth, labels=labels), fisher_ecosystem(features, labels, truth)
    alpha, beta = WEIGHTS.per_generation(regression.entities, SHOWN[-1])

    def replicate(key: PRNGKeyArray) -> tuple[Float[Array, " generation"], Float[Array, "generation entity d"]]:
        keys = jax.random.split(key, SHOWN[-1] + 1)
        run = begin(keys[0], regression, beta[0], 1)
        private = _noise(labels, features.private, run.real.private_labels, truth, truth)
        public = _noise(labels, features.public, run.real.public_labels, truth, truth)

        def linear(moment: Float[Array, " d"], alpha: Array, beta: Array) -> Float[Array, "entity d"]:
            real, gram = _mixed(beta, private, public), _mixed(beta, ecosystem.private.gram, ecosystem.public.gram)
            gram = (1 - alpha)[:, None, None] * gram + alpha[:, None, None] * ecosystem.pool_gram[None]
            right = (1 - alpha)[:, None] * real + alpha[:, None] * moment[None]
            return jnp.linalg.solve(gram, right[..., None])[..., 0]

        def difference(run: Run, errors: Float[Array, "entity d"]) -> Float[Array, ""]:
            return (((run.estimates - truth[None]) ** 2).sum(1) - (errors**2).sum(1)).mean()

        def generation(
            state: tuple[Run, Array], now: tuple[Array, Array, Array]
        ) -> tuple[tuple[Run, Array], tuple[Array, Array]]:
            (run, errors), (key, alpha, beta) = state, now
            following = proceed(key, regression, alpha, beta, jnp.zeros((), int), run)
            noise = _noise(labels, features.synthetic, following.pool.labels[0], run.estimates, truth)
            moment = jnp.einsum("kab,kb->ka", ecosystem.synthetic.gram, errors) + noise
            errors = linear(regression.shares @ moment, alpha, beta)
            return (following, errors), (difference(following, errors), errors)

        errors = linear(jnp.zeros_like(truth), jnp.zeros_like(beta[0]), beta[0])
        _, later = jax.lax.scan(generation, (run, errors), (keys[1:], alpha[1:], beta[1:]))
        first = difference(run, errors), errors
        return jax.tree.map(lambda one, others: jnp.concatenate([one[None], others]), first, later)

    exact = trajectory(ecosystem, WEIGHTS, SHOWN[-1], mse).mean(1)
    differences, errors = sharded_vmap(replicate, jax.random.split(key, replicates))
    controls = errors.reshape(*differences.shape, -1)
    centered = controls - controls.mean(0, keepdims=True)
    gram = jnp.einsum("rga,rgb->gab", centered, centered)
    slopes = jnp.linalg.solve(gram, jnp.einsum("rga,rg->ga", centered, differences)[..., None])[..., 0]
    found = (differences - jnp.einsum("rga,ga->rg", controls, slopes)) / exact[None]
    return found.mean(0), found.std(0, ddof=1) / jnp.sqrt(float(replicates))


def _mixed(beta: Float[Array, " entity"], private: Array, public: Array) -> Array:
    """Private and public part, as β mixes them."""
    beta = beta.reshape(-1, *[1] * (private.ndim - 1))
    return beta * private + (1 - beta) * public[None]


def _noise(
    labels: AbstractLabels,
    rows: Float[Array, "*sets rows d"],
    label: Float[Array, "*sets rows"],
    estimates: Float[Array, "*sets d"],
    truth: Float[Array, " d"],
) -> Float[Array, "*sets d"]:
    """Score of labels that were drawn with the estimates, scaled to the variance that it has at the truth."""
    predictor = (rows @ estimates[..., None])[..., 0]
    scale = jnp.sqrt(labels.information(rows @ truth) / labels.information(predictor))
    return -(rows.mT @ (scale * labels.slope(label, predictor))[..., None])[..., 0]


def survived(seed: int, replicates: int) -> Float[np.ndarray, " generation"]:
    """Fraction of replicates whose counts have not died out, for a single entity that fits its own counts alone."""
    ones = np.ones((1, EVENTS, 1))
    regression = Regression(Features(ones, np.zeros((1, 1)), ones), jnp.zeros(1), labels=Poisson())
    program = jax.jit(
        lambda key: simulate_regression(regression, Weights(1.0, 1.0), LAST - 1, replicates, key).failed,
        compiler_options=COMPILER_OPTIONS,
    )
    failed = np.sum([np.asarray(count)[:, 0] for count in program(seeded_key(seed)).values()], axis=0)
    return 1 - failed / replicates


def fresh_limit(labels: AbstractLabels) -> float:
    """MSE in the limit of the linear theory with the Fisher information, for the published setting: fresh rows x ~ N(0, I)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    rows = np.stack(np.meshgrid(nodes, nodes), axis=-1).reshape(-1, 2)
    chances = np.outer(weights, weights).ravel() / weights.sum() ** 2
    chances = chances * np.asarray(labels.information(jnp.asarray(rows @ np.array(PUBLISHED_TRUTH))))
    alone = float(np.trace(np.linalg.inv(rows.T @ (chances[:, None] * rows)))) / PUBLISHED_ROWS
    return alone * ((1 - PUBLISHED_ALPHA) ** 2 + PUBLISHED_ALPHA**2) / (1 - PUBLISHED_ALPHA**2)


def fit_power(n: Float[np.ndarray, " n"], values: Float[np.ndarray, " n"], errors: Float[np.ndarray, " n"]) -> Fit:
    """Least squares of c n^b to the values, weighted by their standard errors: points within their noise hardly count.

    The standard error of b grows with what the points differ from the power by, if that is more than their noise.
    """
    if not values[0] > _ABOVE_NOISE * errors[0]:
        return Fit(np.nan, np.nan, np.nan)

    def power(n: Float[np.ndarray, " n"], size: float, exponent: float) -> Float[np.ndarray, " n"]:
        return size * (n / n[0]) ** exponent

    (size, exponent), covariance = curve_fit(power, n, values, (values[0], -1.0), errors, absolute_sigma=True)
    left = (((values - power(n, size, exponent)) / errors) ** 2).sum() / (len(n) - 2)
    return Fit(float(exponent), float(np.sqrt(covariance[1, 1] * max(left, 1))), float(size * n[0] ** -exponent))


def draw(request: Request) -> Report:
    """Compute and write the figure."""
    found = compute(request.seed, *((1000, 500) if request.quick else (4000, 4000)))
    panels = {}
    for name in CASES:
        columns = {"n": np.array(ROWS)[:, None], "generation": np.array(SHOWN), "relative_excess": found.excess[name]}
        panels[f"excess, {name}"] = columns | {"standard_error": found.excess_se[name]}
    for name, (_, error, se) in PUBLISHED.items():
        panels[f"published, {name}"] = {"n": PUBLISHED_ROWS, "mse": [error], "standard_error": se}
        panels[f"published, {name}"]["linear_theory"] = found.linear[name]
    panels["survival"] = {
        "generation": np.arange(1, LAST + 1),
        "survival": found.survival,
        "standard_error": found.survival_se,
        "closed_form": _closed_survival(),
    }
    return save(request, _report(found), _figure(found), table_of_panels(panels))


def _closed_survival() -> Float[np.ndarray, " generation"]:
    return np.asarray(baselines.poisson_survival(float(EVENTS), LAST))


def _report(found: Universality) -> Report:
    fits = found.fits()
    told = ", ".join(f"{name} {generation}: {_exponent(fit)}" for (name, generation), fit in fits.items())
    ratio = {name: error / found.linear[name] for name, (_, error, _) in PUBLISHED.items()}
    return Report(
        "universality",
        "Logistic and Poisson regression follow the linear theory as n grows",
        "With the Fisher information in place of the Gram matrices, the linear theory's relative error falls about like 1/n "
        f"(exponents at labels and generation {told}; ± one standard error). Published simulations at n = 100 + 100 exceed "
        f"it by {ratio['logistic'] - 1:.0%} (logistic) and {ratio['Poisson'] - 1:.0%} (Poisson). It fails without real data: of "
        f"counts that are fitted to their own draws, {found.survival[-1]:.0%} survive to generation {LAST}, and the others are "
        "zero for ever, where the linear theory has only a variance that grows by the same amount each generation.",
        f"Left: K = 2, d = 2 (intercept and slope), {INPUTS} fixed inputs for each of 5 datasets of n rows, α = β = 1/2; "
        f"θ = {CASES['logistic'][1]} logistic, {CASES['Poisson'][1]} Poisson; generation 0 is fitted to real data alone; "
        f"{found.replicates} replicates, paired with linear estimates from the same labels; bars: 2 standard errors. Middle: "
        "code of MukaiCodes/Model_Collapse_Codes, n = 100 + 100 fresh rows, weight 1/2, θ = (1, 1). Right: one entity, "
        f"intercept only, α = 1, nλ = {EVENTS}; {found.counted} replicates (seed {found.seed}).",
        {
            "exponents": {f"{name}, generation {g}": [fit.exponent, fit.error] for (name, g), fit in fits.items()},
            "published_over_linear": ratio,
            "survival_at_last": float(found.survival[-1]),
            "closed_survival_at_last": float(_closed_survival()[-1]),
        },
    )


def _exponent(fit: Fit) -> str:
    return f"{fit.exponent:.2f} ± {fit.error:.2f}"


def _figure(found: Universality) -> Figure:
    """Three panels: the excess over the linear theory against n, published excesses, and counts that die out."""
    with styled():
        figure, (axes,) = grid_of_axes(1, 3, (10.5, 3.9), width_ratios=[1.5, 0.8, 1])
        _draw_excess(axes[0], found)
        _draw_published(axes[1], found)
        _draw_survival(axes[2], found)
    return figure


def _draw_excess(panel: Axes, found: Universality) -> None:
    """Relative excess by n with fitted powers; series lie a little beside each other."""
    n = np.array(ROWS, dtype=float)
    for number, ((name, generation), fit) in enumerate(found.fits().items()):
        i, beside = SHOWN.index(generation), 1.05 ** (number - 1.5)
        values, errors = found.excess[name][:, i], found.excess_se[name][:, i]
        points(panel, number, n * beside, abs(values), errors)
        line(panel, number, n * beside, fit.size * n**fit.exponent)
        look: dict[str, Any] = {"color": COLORS[number], "markersize": 3.5, "markerfacecolor": "white"}
        label = f"{name}, generation {generation}: n^({_exponent(fit)})"
        panel.plot([], [], DASHES[number] + MARKERS[number], label=label, **look)
    panel.set(title="linear theory with Fisher information", xlabel="n, rows of every dataset")
    panel.set(ylabel="|simulated / linear theory - 1|", xscale="log", yscale="log", ylim=(3e-4, 2))
    panel.set_xticks(ROWS, [*map(str, ROWS)])
    panel.minorticks_off()
    panel.legend(loc="upper right")


def _draw_published(panel: Axes, found: Universality) -> None:
    """Published errors in units of the linear theory's."""
    for number, (name, (_, error, se)) in enumerate(PUBLISHED.items()):
        points(panel, number, [number], [error / found.linear[name]], [se / found.linear[name]])
    panel.axhline(1, color="#888888", linewidth=0.8)
    panel.set(title=f"published, n = {PUBLISHED_ROWS} + {PUBLISHED_ROWS}", ylabel="MSE / linear theory")
    panel.set(xlim=(-0.6, len(PUBLISHED) - 0.4), ylim=(0.9, 1.4))
    panel.set_xticks(range(len(PUBLISHED)), list(PUBLISHED))


def _draw_survival(panel: Axes, found: Universality) -> None:
    """Survival of counts, simulated and in closed form, and what the linear theory says."""
    generation = np.arange(1, LAST + 1)
    wide_line(panel, generation, np.ones(LAST), "linear theory: none dies out")
    line(panel, 0, generation, _closed_survival(), "closed form")
    shown = np.array([1, 2, 3, *range(5, LAST + 1, 5)])
    points(panel, 1, shown, found.survival[shown - 1], found.survival_se[shown - 1])
    panel.plot([], [], MARKERS[1], color=COLORS[1], markerfacecolor="white", markersize=3.5, label="simulated")
    panel.set(title=f"counts without real data, nλ = {EVENTS}", xlabel="generation (1: real data)")
    panel.set(ylabel="replicates with a positive count", ylim=(0, 1.05))
    panel.legend(loc="lower left")
