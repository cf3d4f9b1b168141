"""The page of `longhaul analyse --html`: one file with its figures, data and script. It computes no figure itself."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from results.captures import summary
from results.captures.errors import CaptureError
from results.captures.survey import Survey

CONNECTIONS_SHOWN = 20_000
REQUESTS_SHOWN = 2000
_TABLE = ("stream", "interface", "client", "client_port", "server", "server_port", "packets", "duration_ms", "handshake_ms",
          "bytes_up", "bytes_down", "goodput_down_bps", "rtt_median_up_ms", "rtt_median_down_ms", "retransmissions_up",
          "retransmissions_down", "fast", "timeouts", "tail_probes", "spurious", "out_of_order", "zero_windows",
          "first_frame")  # fmt: skip


def write(path: Path, found: Survey, series: list[dict[str, Any]], between: list[dict[str, Any]]) -> None:
    """Write the page of one survey. Raises CaptureError."""
    whole = summary.as_dict(found)
    connections = [{name: row[name] for name in _TABLE} for row in whole["connections"][:CONNECTIONS_SHOWN]]
    data = {
        "title": Path(whole["capture"]).name, "head": summary.text(found, 0).splitlines(), "notes": whole["notes"],
        "at": [one["name"] or str(number) for number, one in enumerate(whole["interfaces"])] if whole["by_interface"] else [],
        "columns": _TABLE, "connections": [list(row.values()) for row in connections],
        "hidden": len(whole["connections"]) - len(connections), "requests": whole["requests"][:REQUESTS_SHOWN],
        "requests_hidden": max(0, len(whole["requests"]) - REQUESTS_SHOWN), "handshakes": whole["handshakes"][:REQUESTS_SHOWN],
        "quic": whole["quic"][:REQUESTS_SHOWN], "lookups": whole["lookups"][:REQUESTS_SHOWN],
        "series": series, "between": between,
    }  # fmt: skip
    # "<" never stands in the data as it is: no text from a capture can end the script element and begin another.
    text = json.dumps(data).replace("<", "\\u003c").replace("\u2028", "\\u2028")
    template = (Path(__file__).parents[1] / "templates" / "capture.html").read_text(encoding="utf-8")
    partial = path.with_name(f".{path.name}.part")
    try:
        partial.write_text(template.replace("@DATA@", text), encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        raise CaptureError(f"could not write {path}: {error.strerror}; name a file where you may write") from error
    finally:
        partial.unlink(missing_ok=True)
