"""What a reader may choose about all figures: formats, size, resolution and style."""

import struct

import numpy as np
import pytest
from crossfeed.cli.look import FolderLookOptions
from crossfeed.figures.report import Report, Request, save
from crossfeed.figures.style import Look, color, grid_of_axes, heat_map, line, looking, styled
from matplotlib.colors import to_hex

from crossfeed.errors import InvalidInput

DATA = {"x": np.arange(3.0), "y": np.arange(3.0) ** 2}


def draw(folder, request=None):
    with styled():
        figure, ((panel,),) = grid_of_axes(1, 1, (5, 3))
        line(panel, 1, DATA["x"], DATA["y"])
    return figure, save(request or Request(folder), Report("parabola", "", "", "made by hand", {}), figure, DATA)


def size_of_png(path) -> tuple[int, int]:
    return struct.unpack(">II", path.read_bytes()[16:24])


def test_formats_size_and_resolution(tmp_path):
    _, report = draw(tmp_path)
    assert report.files == ["parabola.svg", "parabola.png", "parabola.csv"]
    assert size_of_png(tmp_path / "parabola.png") == (750, 450)
    with looking(Look(("pdf", "png"), (6, 4), 100)):
        _, report = draw(tmp_path)
    assert report.files == ["parabola.pdf", "parabola.png", "parabola.csv"]
    assert size_of_png(tmp_path / "parabola.png") == (600, 400)
    assert (tmp_path / "parabola.pdf").read_bytes().startswith(b"%PDF")


def test_a_style_sheet_sets_colors_and_fonts(tmp_path):
    sheet = tmp_path / "mine.mplstyle"
    sheet.write_text("font.size: 18\naxes.prop_cycle: cycler(color=['ff0000', '00ff00'])\nimage.cmap: magma\n")
    plain, _ = draw(tmp_path)
    with looking(Look(style=str(sheet))):
        figure, _ = draw(tmp_path)
        with styled():
            assert color(3) == color(1)
            panel = grid_of_axes(1, 1, (3, 3))[1][0][0]
            assert heat_map(panel, [0, 1], [0, 1], [[0, 1], [1, 2]], []).get_cmap().name == "magma"
    (curve,), (before,) = figure.axes[0].lines, plain.axes[0].lines
    assert to_hex(curve.get_color()) == "#00ff00"
    assert to_hex(before.get_color()) == "#2f6fb0"
    sizes = [one.axes[0].xaxis.get_ticklabels()[0].get_fontsize() for one in (figure, plain)]
    assert sizes == [18, 9]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"size": "6"}, "size is '6', but must be WIDTHxHEIGHT in inches"),
        ({"size": "6x1"}, r"size is 6x1, but both lengths must lie in \[2, 40\] inches"),
        ({"size": "nanx4"}, "size is nanx4, but both lengths"),
        ({"dpi": 5}, r"dpi is 5, but must lie in \[30, 1200\]"),
        ({"style": "no-such-style"}, "style is 'no-such-style', but there is no such style sheet"),
    ],
)
def test_what_cannot_be_drawn_is_refused(given, says):
    with pytest.raises(InvalidInput, match=says):
        FolderLookOptions(**given).looking_in_folder()


def test_a_page_needs_png(tmp_path):
    with FolderLookOptions(format=("pdf",)).looking_in_folder(page=True):
        assert draw(tmp_path)[1].files == ["parabola.pdf", "parabola.png", "parabola.csv"]


def test_changed_settings_are_below_the_figure(tmp_path):
    figure, report = draw(tmp_path, Request(tmp_path, "entities = 3"))
    assert report.setting == "made by hand\nChanged: entities = 3."
    assert figure.get_supxlabel().splitlines() == ["made by hand", "Changed: entities\u00a0=\u00a03."]
