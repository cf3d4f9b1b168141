"""The cache key of a request: what must be equal for two requests to be answered by one stored object.

It says nothing of Vary: variants of one key are told apart by the responses (RFC 9111, section 4.1).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import translate
from re import Pattern
from re import compile as regex
from urllib.parse import quote, unquote_plus

from nodes.edge.routing import field_names
from nodes.edge.routing.table import Table
from nodes.http.message import Fields

KEYS = ("query", "keep", "drop", "sort", "headers", "cookies", "host")


@dataclass(frozen=True, slots=True)
class KeyRule:
    """How a key is made. `keep` and `drop` are patterns of whole parameter names, decoded; None: no such list.

    `host` None: the client's Host is in the key where the origin sees it, because then it may decide the answer.
    """

    query: bool = True
    keep: Pattern[str] | None = None
    drop: Pattern[str] | None = None
    sort: bool = False
    headers: tuple[str, ...] = ()
    cookies: tuple[str, ...] = ()
    host: bool | None = None

    @property
    def plain(self) -> bool:
        """Whether path and query stand in the key as they came and nothing else does."""
        return self.query and not self.sort and self.keep is self.drop is None and not (self.headers or self.cookies)

    def normal_query(self, query: str) -> str:
        """The parameters that count, in order. Raises nothing: what is no parameter is one with an empty value."""
        if not self.query:
            return ""
        parameters = [part for part in query.split("&") if part] if (self.sort or self.keep or self.drop) else [query]
        if self.keep is not None:
            parameters = [part for part in parameters if self.keep.match(_name(part))]
        if self.drop is not None:
            parameters = [part for part in parameters if not self.drop.match(_name(part))]
        if self.sort:  # stable: several values of one name are a list, whose order means something
            parameters.sort(key=_name)
        return "&".join(parameters)

    def extra(self, fields: Fields) -> str:
        """What fields and cookies add to the key; an absent one differs from an empty one."""
        found = [_part(name, fields.get(name)) for name in self.headers]
        if self.cookies:
            cookies = _cookies(fields.all("cookie"))
            found += [_part(f"cookie:{name}", cookies.get(name)) for name in self.cookies]
        return "".join(found)


def key_rule(table: Table | None) -> KeyRule:
    """The rule that a `[route.key]` table states. Raises RulesError."""
    if table is None:
        return KeyRule()
    table.only(*KEYS)
    query = table.text("query") or "all"
    if query not in ("all", "none"):
        table.wrong("query", query, '"all" or "none"')
    for key in ("keep", "drop", "sort"):
        if query == "none" and key in table:
            table.wrong(key, table.values[key], 'nothing, because query is "none"')
    if "keep" in table and "drop" in table:
        table.wrong("drop", table.values["drop"], "either keep or drop, not both")
    for name in table.texts("headers"):
        field_names.check(table, "headers", name)
    chosen = "keep" in table or "drop" in table
    return KeyRule(
        query == "all", _patterns(table.texts("keep")), _patterns(table.texts("drop")), table.flag("sort", chosen),
        tuple(sorted({name.lower() for name in table.texts("headers")})), tuple(sorted(set(table.texts("cookies")))),
        table.flag("host", False) if "host" in table else None,
    )  # fmt: skip


def _patterns(globs: Iterable[str]) -> Pattern[str] | None:
    joined = "|".join(f"(?:{translate(glob)})" for glob in globs)
    return regex(joined) if joined else None


def _name(parameter: str) -> str:
    """Decoded, so that `utm%5Fid` is what `utm_id` is."""
    name = parameter.partition("=")[0]
    return unquote_plus(name) if "%" in name or "+" in name else name


def _part(name: str, value: str | None) -> str:
    return f" {name}" if value is None else f" {name}={quote(value, safe='')}"


def _cookies(lines: list[str]) -> dict[str, str]:
    """Cookie pairs (RFC 6265, section 4.2.1); the first of a name counts."""
    found: dict[str, str] = {}
    for pair in ";".join(lines).split(";"):
        name, _, value = pair.strip().partition("=")
        found.setdefault(name, value)
    return found
