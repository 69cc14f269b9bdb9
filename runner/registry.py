"""Extension folders: a type is one file, found by its folder, named by its file name."""

import importlib
import pkgutil
from functools import cache
from types import ModuleType


@cache
def names(folder: str) -> tuple[str, ...]:
    """List the extensions of a folder (`auth`, `actions`, ...) by the names used in YAML, without importing them.

    Rules are named with hyphens, their files with underscores; the other folders use the file's name as it is.
    """
    package = importlib.import_module(f"runner.{folder}")
    modules = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    return tuple(name.replace("_", "-") if folder == "rules" else name for name in modules)


@cache  # asked for every action of every workflow
def load(folder: str, name: str) -> ModuleType:
    """Import one extension; raises KeyError for a name that the folder does not hold."""
    if name not in names(folder):
        raise KeyError(name)
    return importlib.import_module(f"runner.{folder}.{name.replace('-', '_')}")
