"""Which fields of a request a rule may look at: those that the origin may see as the client sent them. It reads no values."""

from __future__ import annotations

import re

from nodes.edge.routing.table import Table
from nodes.http.message import HOP_BY_HOP

TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


def check(table: Table, key: str, name: str) -> None:
    """Raises RulesError for a name that stands under `key` and may not."""
    if not TOKEN.fullmatch(name):
        table.wrong(key, name, "the name of a header field")
    if name.lower() in HOP_BY_HOP:
        table.wrong(key, name, "a field that the origin sees, which those of one connection are not")
    if name.lower() == "host":  # an absolute target's authority takes its place (RFC 9112, section 3.2.2)
        table.wrong(key, name, "any field but Host, for which there is the key host")
