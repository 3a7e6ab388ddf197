"""Logistic and Poisson regression against the linear theory with the Fisher information in place of the Gram matrices."""

from dataclasses import dataclass
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.optimize import curve_fit

from crossfeed.errors import InvalidInput
from crossfeed.formulas.shapes import Scalar
from crossfeed.random_keys import seeded_key

from ...sim.regression import Bernoulli, Gaussian, Poisson, Regression, fisher_ecosystem, simulate_regression
from ...sim.regression.labels import AbstractLabels
from ...sim.regression.regression import Run, begin, proceed
from ...sim.sharding import sharded_vmap
from ...theory import Features, Weights, baselines, mse, trajectory
from ..report import Report, Request, save
from ..settings import Replicates, Seed, Weight, Within
from ..style import DASHES, MARKERS, color, grid_of_axes, line, points, styled, wide_line
from .programs import COMPILER_OPTIONS
from .table import table_of_panels

CASES: dict[str, AbstractLabels] = {"logistic": Bernoulli(), "Poisson": Poisson()}
PUBLISHED = {  # MSE and standard error of 100 seeds of the authors' released code, MukaiCodes/Model_Collapse_Codes
    "linear": (Gaussian(), 0.01350, 0.00023),
    "logistic": (Bernoulli(), 0.1155, 0.0031),
    "Poisson": (Poisson(), 0.00409, 0.00008),
}
PUBLISHED_ROWS, PUBLISHED_TRUTH, PUBLISHED_ALPHA = 100, (1.0, 1.0), 0.5  # real rows, and as many synthetic ones

_ABOVE_NOISE = 3.0  # standard errors, of the first point of a fit
_NODES = 60  # of the quadrature over a Gaussian input


_Truth = Annotated[tuple[float, ...], Within(-10, 10, shortest=2, longest=2)]


@dataclass(frozen=True)
class Settings:
    """Settings of the figure; universality.toml says what they are and holds the shipped ones."""

    seed: Seed
    rows: Annotated[tuple[int, ...], Within(1, 10**6, shortest=3, longest=50)]
    inputs: Annotated[int, Within(2, 1000)]
    logistic_truth: _Truth
    poisson_truth: _Truth
    alpha: Weight
    beta: Weight
    shown: Annotated[tuple[int, ...], Within(1, 1000, longest=2)]
    replicates: Replicates
    events: Annotated[int, Within(1, 1000)]
    last: Annotated[int, Within(5, 1000)]
    counted: Replicates

    def __post_init__(self) -> None:
        if least := [n for n in self.rows if n < self.inputs]:
            raise InvalidInput(f"rows holds {least[0]}, but must not be below inputs, which is {self.inputs}")

    @property
    def truths(self) -> dict[str, tuple[float, ...]]:
        """θ of each case: an intercept and a slope."""
        return {"logistic": self.logistic_truth, "Poisson": self.poisson_truth}

    @property
    def weights(self) -> Weights:
        """Weights of the first panel."""
        return Weights(self.alpha, self.beta)

    @property
    def series(self) -> list[tuple[str, int]]:
        """Labels and generation of every series of the first panel."""
        return [(name, generation) for name in CASES for generation in self.shown]


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
        survival: fraction of replicates with a finite estimate, at generations 1, 2, …
        survival_se: its standard error.
        linear: MSE of the linear theory for the published settings.
    """

    excess: dict[str, Float[np.ndarray, "n shown"]]
    excess_se: dict[str, Float[np.ndarray, "n shown"]]
    survival: Float[np.ndarray, " generation"]
    survival_se: Float[np.ndarray, " generation"]
    linear: dict[str, float]

    def fits(self, settings: Settings) -> dict[tuple[str, int], Fit]:
        """Power of n for every series of the first panel."""
        n = np.array(settings.rows, dtype=float)
        columns = ((name, settings.shown.index(generation)) for name, generation in settings.series)
        fits = (fit_power(n, self.excess[name][:, i], self.excess_se[name][:, i]) for name, i in columns)
        return dict(zip(settings.series, fits, strict=True))


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
        of_one = [getattr(labels, name) for labels in CASES.values()]
        return self.times * jax.lax.switch(self.case, of_one, *data)


def inputs(settings: Settings) -> Features:
    """Different inputs of all datasets of two entities: an intercept and a uniform variable."""
    spread = np.random.default_rng(settings.seed).uniform(-1.5, 1.5, (5, settings.inputs))
    rows = np.stack([np.ones_like(spread), spread], axis=-1)
    return Features(rows[:2], rows[2], rows[3:])


def compute(settings: Settings) -> Universality:
    """Numbers of all panels."""
    features, keys = inputs(settings), jax.random.split(seeded_key(settings.seed), (len(CASES), len(settings.rows)))
    program = jax.jit(
        lambda labels, truth, key: excess(features, labels, truth, settings, key), compiler_options=COMPILER_OPTIONS
    )
    found = {
        name: np.array(
            [
                program(Repeated(jnp.asarray(case), jnp.asarray(n / settings.inputs)), jnp.array(truth), key)
                for n, key in zip(settings.rows, keys[case], strict=True)
            ]
        )[..., np.array(settings.shown)]
        for case, (name, truth) in enumerate(settings.truths.items())
    }
    survival = survived(settings)
    return Universality(
        {name: values[:, 0] for name, values in found.items()},
        {name: values[:, 1] for name, values in found.items()},
        survival,
        np.sqrt(survival * (1 - survival) / settings.counted),
        {name: fresh_limit(labels) for name, (labels, _, _) in PUBLISHED.items()},
    )


def excess(
    features: Features, labels: AbstractLabels, truth: Float[Array, " d"], settings: Settings, key: PRNGKeyArray
) -> tuple[Float[Array, " generation"], Float[Array, " generation"]]:
    """Relative excess of the simulated mean MSE over the linear theory at generations 0, 1, …, with its standard error.

    Every replicate also computes linear estimates from its own labels, with their noise scaled to the variance that it has at the
    truth. The linear theory is their exact law. So the mean of what the squared errors of the two differ by is what the linear
    theory lacks, and little noise is left in it; less, after regression on the linear errors, whose mean is zero.
    """
    regression, ecosystem = Regression(features, truth, labels=labels), fisher_ecosystem(features, labels, truth)
    last, weights = max(settings.shown), settings.weights
    alpha, beta = weights.per_generation(regression.entities, last)

    def replicate(key: PRNGKeyArray) -> tuple[Float[Array, " generation"], Float[Array, "generation entity d"]]:
        keys = jax.random.split(key, last + 1)
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

    exact = trajectory(ecosystem, weights, last, mse).mean(1)
    differences, errors = sharded_vmap(replicate, jax.random.split(key, settings.replicates))
    controls = errors.reshape(*differences.shape, -1)
    centered = controls - controls.mean(0, keepdims=True)
    gram = jnp.einsum("rga,rgb->gab", centered, centered)
    slopes = jnp.linalg.solve(gram, jnp.einsum("rga,rg->ga", centered, differences)[..., None])[..., 0]
    found = (differences - jnp.einsum("rga,ga->rg", controls, slopes)) / exact[None]
    return found.mean(0), found.std(0, ddof=1) / jnp.sqrt(float(settings.replicates))


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


def survived(settings: Settings) -> Float[np.ndarray, " generation"]:
    """Fraction of replicates whose counts have not died out, for a single entity that fits its own counts alone."""
    ones = np.ones((1, settings.events, 1))
    regression = Regression(Features(ones, np.zeros((1, 1)), ones), jnp.zeros(1), labels=Poisson())
    program = jax.jit(
        lambda key: simulate_regression(regression, Weights(1.0, 1.0), settings.last - 1, settings.counted, key).failed,
        compiler_options=COMPILER_OPTIONS,
    )
    failed = np.sum([np.asarray(count)[:, 0] for count in program(seeded_key(settings.seed)).values()], axis=0)
    return 1 - failed / settings.counted


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


def draw(request: Request, settings: Settings) -> Report:
    """Compute and write the figure."""
    found = compute(settings)
    panels = {}
    for name in CASES:
        columns = {"n": np.array(settings.rows)[:, None], "generation": np.array(settings.shown)}
        columns["relative_excess"] = found.excess[name]
        panels[f"excess, {name}"] = columns | {"standard_error": found.excess_se[name]}
    for name, (_, error, se) in PUBLISHED.items():
        panels[f"published, {name}"] = {"n": PUBLISHED_ROWS, "mse": [error], "standard_error": se}
        panels[f"published, {name}"]["linear_theory"] = found.linear[name]
    for (name, generation), fit in found.fits(settings).items():
        numbers = {"exponent": [fit.exponent], "standard_error": fit.error, "size_at_n_1": fit.size}
        panels[f"fit, {name}, generation {generation}"] = {"generation": generation} | numbers
    panels["survival"] = {
        "generation": np.arange(1, settings.last + 1),
        "survival": found.survival,
        "standard_error": found.survival_se,
        "closed_form": _closed_survival(settings),
    }
    return save(request, _report(request, found, settings), _figure(found, settings), table_of_panels(panels))


def _closed_survival(settings: Settings) -> Float[np.ndarray, " generation"]:
    return np.asarray(baselines.poisson_survival(float(settings.events), settings.last))


def _report(request: Request, found: Universality, settings: Settings) -> Report:
    fits = found.fits(settings)
    told = ", ".join(f"{name} {generation}: {_exponent(fit)}" for (name, generation), fit in fits.items())
    ratio = {name: error / found.linear[name] for name, (_, error, _) in PUBLISHED.items()}
    approach = (
        f"falls with exponents at labels and generation {told}"
        if request.changed
        else f"falls about like 1/n (exponents at labels and generation {told}; ± one standard error)"
    )
    return Report(
        "universality",
        "Logistic and Poisson regression follow the linear theory as n grows",
        "With the Fisher information in place of the Gram matrices, the linear theory's relative error "
        f"{approach}. Published simulations at n = 100 + 100 exceed "
        f"it by {ratio['logistic'] - 1:.0%} (logistic) and {ratio['Poisson'] - 1:.0%} (Poisson). It fails without real data: of "
        f"counts that are fitted to their own draws, {found.survival[-1]:.0%} survive to generation {settings.last}, "
        "and the others "
        "are zero for ever, where the linear theory has only a variance that grows by the same amount each generation.",
        f"Left: K = 2, d = 2 (intercept and slope), {settings.inputs} fixed inputs for each of 5 datasets of n rows, "
        f"α = {settings.alpha:g}, β = {settings.beta:g}; "
        f"θ = {settings.logistic_truth} logistic, {settings.poisson_truth} Poisson; generation 0 is fitted to real data alone; "
        f"{settings.replicates} replicates, paired with linear estimates from the same labels; bars: 2 standard errors. Middle: "
        "code of MukaiCodes/Model_Collapse_Codes, n = 100 + 100 fresh rows, weight 1/2, θ = (1, 1). Right: one entity, "
        f"intercept only, α = 1, nλ = {settings.events}; {settings.counted} replicates (seed {settings.seed}).",
        {
            "exponents": {f"{name}, generation {g}": [fit.exponent, fit.error] for (name, g), fit in fits.items()},
            "published_over_linear": ratio,
            "survival_at_last": float(found.survival[-1]),
            "closed_survival_at_last": float(_closed_survival(settings)[-1]),
        },
    )


def _exponent(fit: Fit) -> str:
    return f"{fit.exponent:.2f} ± {fit.error:.2f}"


def _figure(found: Universality, settings: Settings) -> Figure:
    """Three panels: the excess over the linear theory against n, published excesses, and counts that die out."""
    with styled():
        figure, (axes,) = grid_of_axes(1, 3, (10.5, 3.9), width_ratios=[1.5, 0.8, 1])
        _draw_excess(axes[0], found, settings)
        _draw_published(axes[1], found)
        _draw_survival(axes[2], found, settings)
    return figure


def _draw_excess(panel: Axes, found: Universality, settings: Settings) -> None:
    """Relative excess by n with fitted powers; series lie a little beside each other."""
    n = np.array(settings.rows, dtype=float)
    for number, ((name, generation), fit) in enumerate(found.fits(settings).items()):
        i, beside = settings.shown.index(generation), 1.05 ** (number - 1.5)
        values, errors = found.excess[name][:, i], found.excess_se[name][:, i]
        points(panel, number, n * beside, abs(values), errors)
        line(panel, number, n * beside, fit.size * n**fit.exponent)
        look: dict[str, Any] = {"color": color(number), "markersize": 3.5, "markerfacecolor": "white"}
        label = f"{name}, generation {generation}: n^({_exponent(fit)})"
        panel.plot([], [], DASHES[number] + MARKERS[number], label=label, **look)
    panel.set(title="linear theory with Fisher information", xlabel="n, rows of every dataset")
    panel.set(ylabel="|simulated / linear theory - 1|", xscale="log", yscale="log", ylim=(3e-4, 2))
    panel.set_xticks(settings.rows, [*map(str, settings.rows)])
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


def _draw_survival(panel: Axes, found: Universality, settings: Settings) -> None:
    """Survival of counts, simulated and in closed form, and what the linear theory says."""
    generation = np.arange(1, settings.last + 1)
    wide_line(panel, generation, np.ones(settings.last), "linear theory: none dies out")
    line(panel, 0, generation, _closed_survival(settings), "closed form")
    shown = np.array([1, 2, 3, *range(5, settings.last + 1, 5)])
    points(panel, 1, shown, found.survival[shown - 1], found.survival_se[shown - 1])
    panel.plot([], [], MARKERS[1], color=color(1), markerfacecolor="white", markersize=3.5, label="simulated")
    panel.set(title=f"counts without real data, nλ = {settings.events}", xlabel="generation (1: real data)")
    panel.set(ylabel="replicates with a positive count", ylim=(0, 1.05))
    panel.legend(loc="lower left")
