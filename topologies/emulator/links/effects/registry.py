"""Every effect there is, found by its file. It holds no list to edit."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from . import __path__ as here
from .effect import Effect


def _found() -> dict[str, type[Effect]]:
    kinds: dict[str, type[Effect]] = {}
    for module in pkgutil.iter_modules(here):
        if module.name != "registry":
            for kind in vars(import_module(f"{__package__}.{module.name}")).values():
                if isinstance(kind, type) and issubclass(kind, Effect) and hasattr(kind, "word"):
                    kinds[kind.word] = kind
    return dict(sorted(kinds.items()))


EFFECTS: dict[str, type[Effect]] = _found()
"""By the word that names it."""
