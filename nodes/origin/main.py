"""The origin's command line. It only reads options; `app.py` serves."""

from __future__ import annotations

from pathlib import Path

from nodes.http.options import not_negative, parser, positive, quantity, serve
from nodes.origin.app import Origin
from units import bits_per_second, milliseconds

DESCRIPTION = """\
Serve generated objects at /objects/SIZE/NAME (such as /objects/64KiB/a) and, with --files, a folder at /files/.
A generated object's query may hold think=40ms and rate=10mbit for that one response, and more that scripts it: status=503,
cache-control=..., vary=..., etag=v1, header=NAME:VALUE, framing=chunked (nodes/origin/script.py lists them all)."""


def main(argv: list[str]) -> int:
    """Run an origin until SIGTERM; returns the exit status."""
    made = parser("origin", DESCRIPTION, "longhaul node origin --listen 127.0.0.1:9000 --think 40ms")
    made.add_argument("--files", metavar="DIR", type=quantity(_folder), help="serve this folder under /files/")
    made.add_argument("--cache-control", metavar="VALUE", type=quantity(_field), default="public, max-age=3600",
                      help="the Cache-Control of every object (default '%(default)s')")  # fmt: skip
    made.add_argument("--think", metavar="TIME", dest="think_ms", type=not_negative(milliseconds), default=0.0,
                      help="wait so long before the first byte of each response, such as 40ms")  # fmt: skip
    made.add_argument("--rate", metavar="RATE", dest="rate_bps", type=positive(bits_per_second),
                      help="send each body at this rate, such as 10mbit")  # fmt: skip
    options = made.parse_args(argv)
    return serve(options, lambda name, _: Origin(name, options.files, options.cache_control, options.think_ms,
                                                 options.rate_bps), "origin")  # fmt: skip


def _folder(text: str) -> Path:
    if not Path(text).is_dir():
        raise ValueError(f"'{text}' is not a folder")
    return Path(text)


def _field(text: str) -> str:
    if not text.isascii() or not text.isprintable():
        raise ValueError(f"{text!r} is not a field value: printable ASCII is")
    return text
