"""Configurations of BIRD 2 from networks, their prefixes and who is whose customer, peer or provider.

It writes text and starts nothing. What is announced to whom is the usual business of the Internet (Gao and Rexford, "Stable
Internet Routing Without Global Coordination", 2001): to customers everything, to peers and providers one's own and one's
customers' prefixes; routes of customers are preferred to those of peers, and those to providers'. A listener, which may be
several hops away, is told one's own prefixes and tells none: so an edge inside an ISP hears where that ISP's clients are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Literal

Relation = Literal["customer", "peer", "provider", "listener", "speaker"]
"""What the neighbour is to us."""

LOCAL_PREFERENCE = {"speaker": 250, "customer": 200, "peer": 150, "provider": 100}
OPPOSITE: dict[str, Relation] = {"customer": "provider", "peer": "peer", "provider": "customer", "listener": "speaker",
                                 "speaker": "listener"}  # fmt: skip
MOST_HOPS = 32
"""Between a listener and its speaker (RFC 4271, section 5.1.3: other sessions have one hop)."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]*", re.ASCII)


class ConfigError(ValueError):
    """A network that cannot be configured; the message names what of it and why."""


@dataclass(frozen=True)
class Network:
    """An autonomous system with one router: what it originates. With `only`, a prefix is announced to the networks named there
    and to no others, as a client network does with the edge inside it."""

    asn: int
    prefixes: Sequence[str] = ()
    only: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Session:
    """A BGP session of two networks: addresses of both ends on the link between them, and what `b` is to `a`."""

    a: str
    a_address: str
    b: str
    b_address: str
    relation: Relation


def configurations(networks: Mapping[str, Network], sessions: Iterable[Session], *, hold_s: int = 9,
                   kernel: Sequence[str] = ()) -> dict[str, str]:  # fmt: skip
    """The text of each network's configuration. What BGP learns of prefixes within `kernel` becomes routes of the namespace;
    the others are known and change nothing.

    Raises ConfigError.
    """
    ends: dict[str, list[tuple[str, str, str, Relation]]] = {name: [] for name in networks}
    for session in sessions:
        for name in (session.a, session.b):
            if name not in networks:
                raise ConfigError(f"could not configure the session {session.a}-{session.b}: there is no network {name}")
        if session.relation not in OPPOSITE:
            raise ConfigError(f"could not configure the session {session.a}-{session.b}: {session.relation!r} is not one of "
                              f"{', '.join(OPPOSITE)}")  # fmt: skip
        ends[session.a].append((session.a_address, session.b, session.b_address, session.relation))
        ends[session.b].append((session.b_address, session.a, session.a_address, OPPOSITE[session.relation]))
    return {name: _text(name, networks, ends[name], hold_s, kernel) for name in networks}


def protocol(neighbour: str, relation: Relation) -> str:
    """What a session is called in BIRD, for `birdc disable` and the like."""
    return f"{relation}_{re.sub(r'[^A-Za-z0-9]', '_', neighbour)}"


def _text(name: str, networks: Mapping[str, Network], ends: Sequence[tuple[str, str, str, Relation]], hold_s: int,
          kernel: Sequence[str]) -> str:  # fmt: skip
    own = networks[name]
    if not _NAME.fullmatch(name) or not 0 < own.asn < 2**32:
        raise ConfigError(f"could not configure the network {name} with AS {own.asn}: a name has letters, digits, dots and "
                          "hyphens, and an AS number is from 1 to 4294967295")  # fmt: skip
    last_resort = f"10.255.{own.asn >> 8 & 255}.{own.asn & 255}"
    identifier = next((here for here, *_ in ends if ip_address(here).version == 4), last_resort)
    parts = [f"# {name}, AS {own.asn}", f"router id {identifier};", "log stderr { warning, error, fatal, bug };",
             "protocol device { scan time 1; }"]  # fmt: skip
    prefixes = [*own.prefixes, *(prefix for only in own.only.values() for prefix in only)]
    for version in (4, 6):
        routes = [f"  route {prefix} unreachable;" for prefix in dict.fromkeys(prefixes) if _parsed(prefix).version == version]
        if routes:
            parts += [f"protocol static own{version} {{", f"  ipv{version};", *routes, "}"]
        if within := _set([f"{prefix}+" for prefix in kernel if _parsed(prefix).version == version]):
            parts.append(f"protocol kernel {{ ipv{version} {{ export where source = RTS_BGP && net ~ {within}; }}; }}")
    secret = [prefix for only in own.only.values() for prefix in only]
    for here, neighbour, there, relation in ends:
        parts += _session(own, networks[neighbour].asn, here, neighbour, there, relation, secret, hold_s)
    return "\n".join(parts) + "\n"


def _session(own: Network, asn: int, here: str, neighbour: str, there: str, relation: Relation, secret: Sequence[str],
             hold_s: int) -> list[str]:  # fmt: skip
    version = ip_address(here).version
    if ip_address(there).version != version:
        raise ConfigError(f"could not configure the session with {neighbour}: {here} and {there} are of two versions of IP")
    shared = own.only.get(neighbour, ())
    hidden = _set([prefix for prefix in secret if prefix not in shared and _parsed(prefix).version == version])
    lines = [f"if net ~ {hidden} then reject;"] if hidden else []
    if relation == "customer":
        lines.append("accept;")
    elif relation == "listener":
        lines += ["if source = RTS_STATIC then accept;", "reject;"]
    elif relation == "speaker":
        lines = ["reject;"]
    else:
        lines += ['if source = RTS_STATIC || proto ~ "customer_*" then accept;', "reject;"]
    name = protocol(neighbour, relation)
    heard = "reject;" if relation == "listener" else f"bgp_local_pref = {LOCAL_PREFERENCE[relation]}; accept;"
    far = [f"  multihop {MOST_HOPS};"] if relation in ("listener", "speaker") else []
    return [
        f"filter to_{name} {{ {' '.join(lines)} }}",
        f"protocol bgp {name} {{",
        f"  local {here} as {own.asn};",
        f"  neighbor {there} as {asn};",
        *far,
        f"  hold time {hold_s}; keepalive time {max(1, hold_s // 3)};",
        "  connect delay time 1; connect retry time 1; error wait time 1, 4;",
        f"  ipv{version} {{",
        f"    import filter {{ {heard} }};",
        f"    export filter to_{name};",
        "  };",
        "}",
    ]


def _set(prefixes: Sequence[str]) -> str:
    return "[ " + ", ".join(prefixes) + " ]" if prefixes else ""


def _parsed(prefix: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(prefix)
    except ValueError as error:
        raise ConfigError(f"could not announce {prefix}: {error}") from error


