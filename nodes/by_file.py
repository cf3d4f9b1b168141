"""Classes by the name of their file: `power_of_two.py` in a folder is the rule `power-of-two`.

It keeps no list: it looks into the folder. Sub-folders are machinery, not rules.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from types import ModuleType
from typing import Any


def names(folder: ModuleType) -> list[str]:
    """What there is, in alphabetical order."""
    return [found.name.replace("_", "-") for found in pkgutil.iter_modules(folder.__path__) if not found.ispkg]


def find(folder: ModuleType, name: str, base: type, kind: str) -> Any:
    """The class of that file which is a `base`. Raises ValueError that names what there is."""
    if name not in names(folder):
        raise ValueError(f"there is no {kind} '{name}'; choose one of {', '.join(names(folder))}")
    module = importlib.import_module(f"{folder.__name__}.{name.replace('-', '_')}")
    return next(value for value in vars(module).values()
                if inspect.isclass(value) and issubclass(value, base) and value.__module__ == module.__name__)  # fmt: skip
