"""Routing rules: which origin for which host and path, and what is cached.

It parses and matches text; it reads no file and connects to nothing. Every error names the line and the key.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from urllib.parse import urlsplit

from nodes.http.message import Request


class RulesError(ValueError):
    """Rules that cannot be followed; the message says where and what is allowed."""


@dataclass(frozen=True)
class Origin:
    """Where an origin is. `authority` is what it sees as Host."""

    host: str
    port: int

    @property
    def authority(self) -> str:
        """Host and port as they stand in a Host field."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == 80 else f"{host}:{self.port}"

    @property
    def address(self) -> tuple[str, int]:
        """For the pool of connections."""
        return self.host, self.port


@dataclass(frozen=True)
class Route:
    """What is done with the requests it matches."""

    prefix: str
    host: str | None
    origin: Origin
    cache: bool
    preserve_host: bool

    def matches(self, host: str, path: str) -> bool:
        """Whether a request for this host (lower case, without port) and path is meant."""
        if not path.startswith(self.prefix):
            return False
        if self.host is None or self.host == host:
            return True
        return self.host.startswith("*.") and host.endswith(self.host[1:])


_KEYS: dict[str, type] = {"prefix": str, "host": str, "origin": str, "cache": bool, "preserve_host": bool}


class Rules:
    """Routes in order."""

    def __init__(self, routes: list[Route]) -> None:
        self.routes = routes

    def route(self, request: Request) -> Route | None:
        """The first route that matches."""
        host = re.sub(r":\d*$", "", request.fields.get("host") or "").lower()
        return next((route for route in self.routes if route.matches(host, request.path)), None)


def origin(url: str) -> Origin:
    """An origin from `http://HOST:PORT`. Raises RulesError."""
    wrong = RulesError(f"'{url}' is not an origin; write for example http://127.0.0.1:9000")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise wrong from error
    if parts.scheme != "http" or not parts.hostname or parts.path not in ("", "/") or parts.query or parts.username:
        raise wrong
    return Origin(parts.hostname, 80 if port is None else port)


def parse(text: str, default: Origin | None) -> Rules:
    """Rules from TOML; `default` is the origin named by `--origin`. Raises RulesError."""
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RulesError(str(error)) from error
    for key in given:
        if key not in ("origins", "route"):
            raise RulesError(f"line {_line(text, key)}: unknown key '{key}'; allowed are origins and route")
    origins = _origins(text, given.get("origins", {}))
    if default is not None:
        origins["default"] = default
    tables = given.get("route", [])
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise RulesError("there is no [[route]]; write at least one")
    return Rules([_route(text, number, table, origins) for number, table in enumerate(tables)])


def _origins(text: str, table: object) -> dict[str, Origin]:
    if not isinstance(table, dict):
        raise RulesError(f"line {_line(text, 'origins')}: origins is not a table; write [origins]")
    found = {}
    for name, url in table.items():
        try:
            found[name] = origin(url if isinstance(url, str) else repr(url))
        except RulesError as error:
            raise RulesError(f"line {_line(text, name)}: origins.{name}: {error}") from error
    return found


def _route(text: str, number: int, table: dict[str, object], origins: dict[str, Origin]) -> Route:
    start = _route_line(text, number)
    for key, value in table.items():
        where = f"line {_line(text, key, start)}: route {number + 1}, key '{key}'"
        if key not in _KEYS:
            raise RulesError(f"{where} is unknown; allowed are {', '.join(_KEYS)}")
        if type(value) is not _KEYS[key]:
            kind = "true or false" if _KEYS[key] is bool else "a text in quotes"
            raise RulesError(f"{where} is {value!r}; allowed is {kind}")
    prefix, name, host = str(table.get("prefix", "/")), str(table.get("origin", "default")), table.get("host")
    if not prefix.startswith("/"):
        raise RulesError(f"line {_line(text, 'prefix', start)}: route {number + 1}, key 'prefix' is {prefix!r}; "
                         "a path begins with /")  # fmt: skip
    if name not in origins:
        known = ", ".join(origins) or "none: give --origin or an [origins] table"
        raise RulesError(f"line {_line(text, 'origin', start)}: route {number + 1}, key 'origin' is {name!r}; "
                         f"known are {known}")  # fmt: skip
    return Route(prefix, str(host).lower() if host is not None else None, origins[name],
                 bool(table.get("cache", True)), bool(table.get("preserve_host", False)))  # fmt: skip


def _route_line(text: str, number: int) -> int:
    lines = [i for i, line in enumerate(text.splitlines(), 1) if re.match(r"\s*\[\[\s*route\s*\]\]", line)]
    return lines[number] if number < len(lines) else 1


def _line(text: str, key: str, start: int = 1) -> int:
    """The first line from `start` on that sets the key or opens its table; `start` when none does."""
    pattern = re.compile(rf"\s*(\[+\s*)?[\"']?{re.escape(key)}[\"']?\s*[=\].]")
    for number, line in enumerate(text.splitlines(), 1):
        if number >= start and pattern.match(line):
            return number
    return start
