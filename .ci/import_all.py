"""Import every module of the installed package, and fail if a folder of the repository was left out of it."""

import importlib
import pkgutil

import crossfeed

names = [module.name for module in pkgutil.walk_packages(crossfeed.__path__, "crossfeed.")]
for name in names:
    importlib.import_module(name)
packages = {name.split(".")[1] for name in names}
missing = {"theory", "sim", "proofs_check", "figures", "cli"} - packages
if missing:
    raise SystemExit(f"the wheel lacks {', '.join(sorted(missing))}")
print(f"imported {len(names)} modules")
