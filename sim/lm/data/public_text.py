"""Public text that needs no download: the documentation shipped with Python."""

import ast
import inspect
import re
import sysconfig
from importlib import import_module
from pathlib import Path

_SHORTEST = 200  # characters; shorter docstrings are signatures or fragments
_UNDERLINE = re.compile(r"\n[=*\-~^\"#]{4,}(?=\n)")


def python_documentation() -> list[str]:
    """Python's language reference as `help()` shows it, then the longer docstrings of the standard library.

    The order is fixed. Docstrings are read from the source; nothing is imported. With Python 3.11 these are about 1.1 million
    characters.
    """
    topics = getattr(import_module("pydoc_data.topics"), "topics", {})
    reference = [topics[name] for name in sorted(topics)]
    folder = Path(sysconfig.get_path("stdlib"))
    docstrings = [text for file in sorted(folder.glob("*.py")) for text in _docstrings(file)]
    return [_plain(text) for text in dict.fromkeys(reference + docstrings)]


def _docstrings(file: Path) -> list[str]:
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, UnicodeDecodeError):
        return []
    described = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    texts = (ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, described))
    return [text for text in texts if text and len(text) >= _SHORTEST]


def _plain(text: str) -> str:
    """The text without underlines of headings, with at most one blank line between paragraphs."""
    return re.sub(r"\n{3,}", "\n\n", _UNDERLINE.sub("", inspect.cleandoc(text))).strip()
