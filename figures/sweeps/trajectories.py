"""MSE over a hundred generations, for several K."""

import xarray as xr
from matplotlib.figure import Figure

from ..report import Report, Request, save
from ..style import grid_of_axes, line, plain_log_axis, styled
from .sizes import Sizes
from .stores import swept

_SPEC = """
[sweep]
quantities = ["mean_mse_trajectory"]
generations = 100
seed = {seed}
[ecosystem]
draws = {draws}
[axes]
entities = [1, 4, 20, 50]
alpha = [0.1, 0.5, 0.9, 0.99]
beta = 0.5
"""


def draw(request: Request, sizes: Sizes) -> Report:
    """Write the mean MSE by generation, averaged over random ecosystems."""
    draws = sizes.trajectory_draws
    data = swept(request, "trajectories", _SPEC.format(seed=request.seed, draws=draws))
    error = data.mean_mse_trajectory.mean("draw")
    ratio = error.isel(generation=-1) / error.isel(generation=0)
    lone, many = (float(ratio.sel(entities=k, alpha=0.9)) for k in (1, 50))
    report = Report(
        "mse_to_100",
        "Mean squared error over a hundred generations",
        f"At α = 0.9 a single model ends with {lone:.2f} times its first error, and 50 models that share a pool with {many:.2f} "
        "times theirs; errors converge within tens of generations unless α is close to one.",
        f"Private features of rank 5 in d = 15, S = S~, β = 0.5, mean of {draws} random ecosystems (seed {request.seed}); exact.",
        {"error_ratio_alone": lone, "error_ratio_with_50": many},
    )
    columns = {
        "entities": data.entities.values[:, None, None],
        "alpha": data.alpha.values[:, None],
        "generation": data.generation.values,
        "mean_mse": error.transpose("entities", "alpha", "generation").values,
    }
    return save(request, report, _figure(error), columns)


def _figure(error: xr.DataArray) -> Figure:
    """One panel per K, with one line per α."""
    with styled():
        figure, (axes,) = grid_of_axes(1, 4, (10.5, 2.9), sharey=True)
        for panel, entities in zip(axes, error.entities.values, strict=True):
            for number, alpha in enumerate(error.alpha.values):
                line(panel, number, error.generation, error.sel(entities=entities, alpha=alpha), f"α = {alpha}")
            plain_log_axis(panel)
            panel.set(title=f"K = {entities}", xlabel="generation")
        axes[0].set_ylabel("mean MSE (units of σ²)")
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure
