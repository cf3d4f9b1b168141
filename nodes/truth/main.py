"""The command line of the source of truth. It only reads options; `app.py` serves."""

from __future__ import annotations

from nodes.http.options import parser, serve
from nodes.truth.app import Truth
from nodes.truth.batches import Batches
from nodes.truth.databases import opened

DESCRIPTION = """\
Serve versioned rows: GET, PUT and DELETE of /rows/KEY, and POST of a JSON list of keys to /rows; GET of /rows?after=KEY lists
keys with versions. Longhaul-Version carries a row's version; a write that is older than what stands is refused with 409.
Every acknowledged write is on the disk."""


def main(argv: list[str]) -> int:
    """Serve until SIGTERM; returns the exit status."""
    made = parser("truth", DESCRIPTION, "longhaul node truth --listen 127.0.0.1:9100 --database /tmp/truth.db")
    made.add_argument("--database", metavar="FILE|DSN", required=True,
                      help="a file of SQLite, or postgresql://USER@HOST:PORT/NAME")  # fmt: skip
    options = made.parse_args(argv)
    return serve(options, lambda name, metrics: Truth(name, Batches(lambda: opened(options.database)), metrics), "truth")
