"""Lay the folders out in build/tree as an installed package has them, by links: for tools that read files and import nothing."""

import os
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[1]
TREE = ROOT / "build" / "tree"

shutil.rmtree(TREE, ignore_errors=True)
unwanted = shutil.ignore_patterns("__pycache__")
shutil.copytree(ROOT / "crossfeed", TREE / "crossfeed", ignore=unwanted, copy_function=os.symlink)
for room in ("theory", "sim", "decide", "proofs_check", "figures", "cli"):
    shutil.copytree(ROOT / room, TREE / "crossfeed" / room, ignore=unwanted, copy_function=os.symlink)
