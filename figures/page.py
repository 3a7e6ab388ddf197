"""Self-contained HTML page with all figures and their conclusions."""

import base64
import html
from collections.abc import Sequence
from pathlib import Path

from crossfeed.atomic_write import atomic_write

from .report import Report

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #111; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin: 2.5rem 0 0.3rem; font-size: 1.15rem; }
img { width: 100%; height: auto; }
.setting, footer { color: #555; font-size: 0.85rem; }
"""
_EXACT = "Every curve is computed exactly, unless a setting says simulated; points with bars are Monte Carlo of the same workflow."


def write_page(path: Path, reports: Sequence[Report], summary: str, introduction: str = _EXACT) -> None:
    """Write the page into the folder of the figures; pictures are embedded, so that the page can be sent on its own."""
    sections = "\n".join(_section(path.parent, report) for report in reports)
    text = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>crossfeed: what happens when models train on each other's outputs</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>When models train on each other's outputs</h1>
<p>{html.escape(introduction)}</p>
{sections}
<footer><p>{html.escape(summary)}</p></footer>
</body>
</html>
"""
    with atomic_write(path) as part:
        part.write_text(text, encoding="utf-8")


def _section(folder: Path, report: Report) -> str:
    picture = base64.b64encode((folder / f"{report.name}.png").read_bytes()).decode()
    title, says, setting = (html.escape(text) for text in (report.title, report.says, report.setting))
    paragraphs = "\n".join(f"<p>{line}</p>" for line in says.splitlines())
    links = ", ".join(f'<a href="{name}">{name}</a>' for name in report.files)
    return f"""<section>
<h2>{title}</h2>
{paragraphs}
<img alt="{says}" src="data:image/png;base64,{picture}">
<p class="setting">{setting} Files: {links}</p>
</section>"""
