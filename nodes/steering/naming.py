"""Answers of an authoritative name server for one name whose addresses are edges, ranked for whoever asks.

Bytes in, bytes out; it has no socket (`nodes/dns/server.py` has). It is no resolver, and serves no zone files.

The client is what EDNS Client Subnet says (RFC 7871), else the resolver that asks, which may be elsewhere. Only the best
rank's addresses are in an answer, because the order of a record set means nothing (RFC 1034, section 3.6).
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from nodes.dns.server import MOST_BYTES
from nodes.steering.ranking import Decision, explain
from nodes.steering.routes import Address

HEADER_BYTES = 12
OUR_PAYLOAD_BYTES = 1232
"""What we take and send in one datagram: it fits every path without fragments (DNS Flag Day 2020)."""
LEAST_PAYLOAD_BYTES = 512

_VERSIONS = {dns.rdatatype.A: (4,), dns.rdatatype.AAAA: (6,), dns.rdatatype.ANY: (4, 6)}
_TRANSFERS = (dns.rdatatype.AXFR, dns.rdatatype.IXFR)
_OURS = (dns.rcode.NOERROR, dns.rcode.NXDOMAIN, dns.rcode.SERVFAIL)

Choose = Callable[[Address], tuple[Decision, int]]
"""The ranking for a client, and the length of the prefix around it for which that holds."""


@dataclass(frozen=True)
class Zone:
    """The name that is served, with all below it (nothing is there), and how long answers may be kept."""

    name: dns.name.Name
    ttl_s: int = 20

    @staticmethod
    def of(text: str, ttl_s: int = 20) -> Zone:
        """Raises ValueError for what is no host name."""
        try:
            return Zone(dns.name.from_text(text), ttl_s)
        except dns.exception.DNSException as error:
            raise ValueError(f"'{text}' is not a domain name: {error}") from error


@dataclass(frozen=True)
class Answered:
    """What was sent (None: silence) and, for the log, what was asked by whom for whom."""

    wire: bytes | None
    rcode: str = "-"
    name: str = "-"
    kind: str = "-"
    client: str = "-"
    subnet: str | None = None
    scope: int | None = None
    addresses: tuple[str, ...] = ()
    decision: Decision | None = None

    def record(self) -> dict[str, Any]:
        """For the log: with the whole decision."""
        said: dict[str, Any] = {"dns": self.kind, "name": self.name, "client": self.client, "subnet": self.subnet,
                                "scope": self.scope, "addresses": list(self.addresses)}  # fmt: skip
        return said if self.decision is None else {**said, "decision": explain(self.decision)}


def answer(wire: bytes, resolver: Address, zone: Zone, choose: Choose, *, tcp: bool = False) -> Answered:
    """The answer to what came from a resolver's address. What is no query gets silence, and a broken one FORMERR."""
    if len(wire) < HEADER_BYTES:
        return Answered(None)
    number, flags = struct.unpack_from("!HH", wire)
    if flags & dns.flags.QR:
        return Answered(None)  # an answer to an answer would go round for ever
    if dns.opcode.from_flags(flags) != dns.opcode.QUERY:
        return _header_only(number, flags, dns.rcode.NOTIMP)
    try:
        query = dns.message.from_wire(wire)
    except (dns.exception.DNSException, ValueError):
        return _header_only(number, flags, dns.rcode.FORMERR)
    if len(query.question) != 1:
        return _header_only(number, flags, dns.rcode.FORMERR)
    return _answer(query, resolver, zone, choose, tcp)


def _answer(query: dns.message.Message, resolver: Address, zone: Zone, choose: Choose, tcp: bool) -> Answered:
    question = query.question[0]
    subnets = [option for option in query.options if isinstance(option, dns.edns.ECSOption)]
    rcode = _rcode(query, subnets, zone)
    client, scope, addresses, decision = resolver, 0, list[str](), None
    options: list[dns.edns.Option] = []
    if rcode == dns.rcode.NOERROR:
        if subnets and subnets[0].srclen:  # /0 asks that the client be left out of it (RFC 7871, section 7.1.2)
            client = ipaddress.ip_address(subnets[0].address)
        if question.rdtype in _VERSIONS:
            decision, scope = choose(client)
            addresses = _addresses(decision, _VERSIONS[question.rdtype])
            if decision.refused:
                rcode = dns.rcode.SERVFAIL
                options.append(dns.edns.EDEOption(dns.edns.EDECode.OTHER, decision.refused))  # RFC 8914
        if subnets:
            scope = scope if subnets[0].srclen else 0
            options.append(dns.edns.ECSOption(subnets[0].address, subnets[0].srclen, scope))
    made = dns.message.make_response(query, our_payload=OUR_PAYLOAD_BYTES, pad=0)
    if question.rdclass == dns.rdataclass.IN and question.name.is_subdomain(zone.name) and rcode in _OURS:
        made.flags |= dns.flags.AA
        made.answer += _records(question, addresses, zone)
        if not made.answer and rcode != dns.rcode.SERVFAIL:
            made.authority.append(_soa(zone))  # for how long the absence may be believed: RFC 2308, section 3
    if query.edns >= 0:
        made.use_edns(0, 0, OUR_PAYLOAD_BYTES, options=options)
    made.set_rcode(rcode)
    limit = MOST_BYTES if tcp else max(LEAST_PAYLOAD_BYTES, min(query.payload, OUR_PAYLOAD_BYTES))
    subnet = f"{subnets[0].address}/{subnets[0].srclen}" if subnets else None
    return Answered(_wire(made, limit), dns.rcode.to_text(rcode), str(question.name), dns.rdatatype.to_text(question.rdtype),
                    str(client), subnet, scope if subnets else None, tuple(addresses), decision)  # fmt: skip


def _rcode(query: dns.message.Message, subnets: list[dns.edns.ECSOption], zone: Zone) -> dns.rcode.Rcode:
    """What is said of the question before anybody is ranked."""
    question = query.question[0]
    if query.edns > 0:
        return dns.rcode.BADVERS  # RFC 6891, section 6.1.3
    if len(subnets) > 1 or any(option.scopelen for option in subnets):
        return dns.rcode.FORMERR  # RFC 7871, section 7.1.1: SCOPE PREFIX-LENGTH is 0 in queries
    if question.rdclass != dns.rdataclass.IN or not question.name.is_subdomain(zone.name) or question.rdtype in _TRANSFERS:
        return dns.rcode.REFUSED
    return dns.rcode.NOERROR if question.name == zone.name else dns.rcode.NXDOMAIN


def _wire(made: dns.message.Message, limit_bytes: int) -> bytes:
    try:
        return made.to_wire(max_size=limit_bytes)
    except dns.exception.TooBig:
        made.flags |= dns.flags.TC  # RFC 2181, section 9: ask again by TCP
        for section in (made.answer, made.authority):
            section.clear()
        return made.to_wire(max_size=MOST_BYTES)


def _addresses(decision: Decision, versions: tuple[int, ...]) -> list[str]:
    """Of the edges of the best rank. An edge that is known by a name has none here."""
    found: list[str] = []
    best: int | None = None
    for one in decision.candidates:
        try:
            address = ipaddress.ip_address(urlsplit(one.edge.url).hostname or "")
        except ValueError:
            continue
        if address.version in versions and best in (None, one.rank) and str(address) not in found:
            best = one.rank
            found.append(str(address))
    return found


def _records(question: dns.rrset.RRset, addresses: list[str], zone: Zone) -> list[dns.rrset.RRset]:
    sets = []
    for kind, version in (("A", 4), ("AAAA", 6)):
        texts = [text for text in addresses if ipaddress.ip_address(text).version == version]
        if texts:
            sets.append(dns.rrset.from_text(question.name, zone.ttl_s, "IN", kind, *texts))
    if question.name == zone.name and question.rdtype == dns.rdatatype.SOA:
        sets.append(_soa(zone))
    return sets


def _soa(zone: Zone) -> dns.rrset.RRset:
    """One serial number for ever: nobody copies this zone."""
    return dns.rrset.from_text(zone.name, zone.ttl_s, "IN", "SOA", f"{zone.name} {zone.name} 1 3600 600 86400 {zone.ttl_s}")


def _header_only(number: int, flags: int, rcode: dns.rcode.Rcode) -> Answered:
    """An answer that repeats nothing of a question that could not be read. RD is copied (RFC 1035, section 4.1.1)."""
    kept = flags & (0x7800 | dns.flags.RD)
    return Answered(struct.pack("!6H", number, dns.flags.QR | kept | int(rcode), 0, 0, 0, 0), dns.rcode.to_text(rcode))
