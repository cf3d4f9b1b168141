"""Which requests a route is for, compiled to a few functions of a request that are tried in turn.

It chooses no route; `rules.py` takes the first whose tests all hold.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from functools import lru_cache

from nodes.edge.routing import field_names
from nodes.edge.routing.normal_path import normal_path
from nodes.edge.routing.table import Table
from nodes.http.message import Fields

KEYS = ("host", "method", "prefix", "exact", "glob", "regex", "header", "client")
_PATHS = ("prefix", "exact", "glob", "regex")
_HOST = re.compile(r"(\*\.)?[a-z0-9._-]+|\[[0-9a-f:.]+\]", re.ASCII)


class Asked:
    """What routes look at, worked out once for a request. `host` is lower case and has no port; `path` is normal."""

    __slots__ = ("client", "fields", "host", "method", "path")

    def __init__(self, method: str, host: str, path: str, fields: Fields, client: str) -> None:
        self.method, self.host, self.path, self.fields, self.client = method, host, path, fields, client


Test = Callable[[Asked], bool]


def tests(table: Table) -> list[Test]:
    """The tests that a route states; the quickest first. Raises RulesError."""
    paths = [key for key in _PATHS if key in table]
    if len(paths) > 1:
        table.wrong(paths[1], table.values[paths[1]], f"one of {', '.join(_PATHS)}, and {paths[0]} is given")
    found = [_path(table, key) for key in paths]
    found += [_method(table)] if "method" in table else []
    found += [host_test(table)] if "host" in table else []
    found += [_client(table)] if "client" in table else []
    headers = table.table("header")
    found += [_header(headers, name) for name in headers.values] if headers is not None else []
    return found


def _path(table: Table, key: str) -> Test:
    texts = table.texts(key)
    if key != "regex":
        for text in texts:
            if not text.startswith(("/", "*")):
                table.wrong(key, text, "a path, which begins with /")
    if key == "prefix":
        prefixes = tuple(map(normal_path, texts))
        if "/" in prefixes:
            return lambda asked: True
        return lambda asked: asked.path.startswith(prefixes)
    if key == "exact":
        wanted = frozenset(map(normal_path, texts))
        return lambda asked: asked.path in wanted
    if key == "glob":
        pattern = re.compile("|".join(f"(?:{_glob(text)})" for text in texts))
        return lambda asked: pattern.fullmatch(asked.path) is not None
    patterns = [table.made(key, _regex, text) for text in texts]
    return lambda asked: any(pattern.search(asked.path) for pattern in patterns)


def _glob(text: str) -> str:
    """`*` and `?` stay within a segment, `**` does not."""
    special = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(special.get(part) or re.escape(part) for part in re.split(r"(\*\*|\*|\?)", text))


def _regex(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise ValueError(f"'{text}' is not a regular expression: {error}") from error


def _method(table: Table) -> Test:
    wanted = frozenset(table.texts("method"))
    for text in wanted:
        if not field_names.TOKEN.fullmatch(text):
            table.wrong("method", text, 'a method such as "GET"')
    return lambda asked: asked.method in wanted


def host_test(table: Table) -> Test:
    """Of the host that a route states; it looks at nothing else. Raises RulesError."""
    names = [text.lower() for text in table.texts("host")]
    for text in names:
        if not _HOST.fullmatch(text):
            table.wrong("host", text, 'a host without a port, such as "www.example", or "*.example" for every name below it')
    whole, below = frozenset(one for one in names if one[0] != "*"), tuple(one[1:] for one in names if one[0] == "*")
    if not below:
        return lambda asked: asked.host in whole
    return lambda asked: asked.host in whole or asked.host.endswith(below)


def _client(table: Table) -> Test:
    networks = [table.made("client", _network, text) for text in table.texts("client")]

    @lru_cache(maxsize=4096)
    def within(host: str) -> bool:
        try:
            address = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return False  # a client without an address, on a unix socket
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in networks)

    return lambda asked: within(asked.client.rpartition(":")[0].strip("[]"))


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(f"{error}; write for example 192.0.2.0/24 or 2001:db8::/32") from error


def _header(headers: Table, name: str) -> Test:
    field_names.check(headers, name, name)
    wanted = headers.table(name)
    assert wanted is not None
    wanted.only("present", "equals", "matches")
    if len(wanted.values) != 1:
        headers.wrong(name, wanted.values, "exactly one of present, equals, matches")
    if "present" in wanted:
        present = wanted.flag("present", True)
        return lambda asked: (name in asked.fields) == present
    if "equals" in wanted:
        equals = frozenset(wanted.texts("equals"))
        return lambda asked: asked.fields.get(name) in equals
    pattern = wanted.made("matches", _regex, wanted.text("matches") or "")

    def matches(asked: Asked) -> bool:
        value = asked.fields.get(name)
        return value is not None and pattern.search(value) is not None

    return matches
