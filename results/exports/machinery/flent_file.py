"""One file of flent's data format, version 4: series of samples in time for a test that flent knows by name. It reads no run.

See flent/resultset.py of flent 2.3. Every series has a value or nothing at each of the common `x_values`, and its own samples
with their times in `raw_values`, which is what flent draws.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

VERSION = 4
Samples = Sequence[tuple[float, float]]
"""(seconds since the beginning, value)."""


def document(
    test: str, title: str, began: datetime, series: Mapping[str, Samples], units: str, more: Mapping[str, Any]
) -> dict[str, Any]:
    """The content of a file; `more` is metadata beside what every file has. `began` is in UTC."""
    x_values = sorted({round(at, 6) for samples in series.values() for at, _ in samples})
    begin = began.timestamp()
    length = x_values[-1] - x_values[0]
    return {
        "version": VERSION, "x_values": x_values,
        "results": {name: [dict(rounded(samples)).get(x) for x in x_values] for name, samples in series.items()},
        "raw_values": {name: [{"t": round(begin + at, 6), "val": value} for at, value in samples]
                       for name, samples in series.items()},
        "metadata": {
            "NAME": test, "TITLE": title, "TIME": time(began), "T0": time(began), "LENGTH": length, "TOTAL_LENGTH": length,
            "STEP_SIZE": round(length / max(1, len(x_values) - 1), 3) or 1.0, "HOSTS": [], "LOCAL_HOST": "longhaul",
            "IP_VERSION": 4, "TEST_PARAMETERS": {}, "HTTP_GETTER_URLLIST": None, "HTTP_GETTER_DNS": None,
            "HTTP_GETTER_WORKERS": 1, "DATA_FILENAME": None, "SERIES_META": {name: {"UNITS": units} for name in series}, **more,
        },
    }  # fmt: skip


def rounded(samples: Samples) -> list[tuple[float, float]]:
    """With times as `x_values` has them."""
    return [(round(at, 6), value) for at, value in samples]


def time(moment: datetime) -> str:
    """As flent reads one that is in UTC."""
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z"


def later(moment: datetime, seconds: float) -> datetime:
    """So many seconds after."""
    return moment + timedelta(seconds=seconds)


def save(path: Path, content: Mapping[str, Any]) -> None:
    """Write one file. Raises OSError."""
    with gzip.open(path, "wt", encoding="utf-8") as file:
        json.dump(content, file)
