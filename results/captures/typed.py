"""Rows of plain values as columns whose types do not depend on the rows: so that tables of two captures go together, and one
without rows has the types of one with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

TEXTS = frozenset(("client", "server", "method", "target", "host", "cache", "server_name", "version", "name", "type",
                   "answer", "addresses", "logged"))
"""Columns of text, which are lists; those that end in `_ms` are float64 and all others int64."""


def columns(rows: Sequence[Mapping[str, Any]], names: Iterable[str]) -> dict[str, Any]:
    """The columns `names` of the rows."""
    return {name: [str(row[name]) for row in rows] if name in TEXTS else np.array(
        [row[name] for row in rows], np.float64 if name.endswith("_ms") else np.int64) for name in names}  # fmt: skip
