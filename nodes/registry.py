"""The daemons by name: each folder beside this file that can be run.

It keeps no list: a folder with a `main.py` is a daemon, and the first sentence of its docstring describes it.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import sys
from pathlib import Path

HERE = Path(__file__).parent


def daemons() -> dict[str, str]:
    """Each daemon's name and one line about it, in alphabetical order."""
    return {
        path.parent.name.replace("_", "-"): _first_sentence(path.parent / "__init__.py")
        for path in sorted(HERE.glob("*/main.py"))
    }  # fmt: skip


def run(name: str, argv: list[str]) -> int:
    """Run a daemon with its own arguments; returns its exit status, 2 for a name that is none."""
    known = list(daemons())
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5) or known
        print(f"longhaul: could not run node '{name}': there is no such daemon; did you mean {', '.join(near)}?",
              file=sys.stderr)  # fmt: skip
        return 2
    return int(importlib.import_module(f"nodes.{name.replace('-', '_')}.main").main(argv))


def _first_sentence(package: Path) -> str:
    text = ast.get_docstring(ast.parse(package.read_text(encoding="utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split()).rstrip(".")
