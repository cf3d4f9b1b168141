"""An origin as rules name it: its address, what it sees as Host, and its name in cache keys. It does not connect to it."""

from __future__ import annotations

from dataclasses import dataclass, field

from nodes.edge.routing.table import RulesError, Table
from nodes.http.origin_address import Origin as Address
from nodes.http.origin_address import parse_origin

DEFAULT_PORT = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Origin:
    """A server that is asked for what the edge does not have; `authority` is its Host field (RFC 9110, section 7.2)."""

    address: Address
    authority: str = field(init=False)
    url: str = field(init=False)

    def __post_init__(self) -> None:
        where = self.address
        host = f"[{where.host}]" if ":" in where.host else where.host
        authority = host if where.port == DEFAULT_PORT[where.scheme] else f"{host}:{where.port}"
        object.__setattr__(self, "authority", authority)
        object.__setattr__(self, "url", f"{where.scheme}://{authority}")


def origin(url: str) -> Origin:
    """An origin from `http://HOST:PORT` or `https://HOST:PORT`. Raises ValueError."""
    return Origin(parse_origin(url))


def origins(table: Table | None, default: Origin | None) -> dict[str, Origin]:
    """The `[origins]` table, and `default` under that name. Raises RulesError."""
    found: dict[str, Origin] = {}
    for name, value in ({} if table is None else table.values).items():
        assert table is not None
        if isinstance(value, dict):
            found[name] = _detailed(table, name)
        elif isinstance(value, str):
            found[name] = table.made(name, origin, value)
        else:
            table.wrong(name, value, '"http://HOST:PORT", "https://HOST:PORT" or { url = "...", server_name = "..." }')
    if default is not None:
        if table is not None and "default" in found:
            raise RulesError(f"{table.place('default')} is what --origin names; leave out one of them")
        found["default"] = default
    return found


def _detailed(table: Table, name: str) -> Origin:
    inner = table.table(name)
    assert inner is not None
    inner.only("url", "server_name")
    url, server_name = inner.text("url"), inner.text("server_name")
    if url is None:
        raise RulesError(f"{table.place(name)} has no url; write for example {{ url = \"https://192.0.2.7\" }}")
    found = inner.made("url", parse_origin, url)
    if server_name and found.scheme != "https":
        inner.wrong("server_name", server_name, "nothing, because the url is not https://")
    return Origin(found._replace(server_name=server_name or ""))
