"""Messages of a resolver: a client's question read, the same put to a server, and the client's answer made of what is known.

Bytes and values; it has no socket and keeps nothing.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdatatype
import dns.rrset

from nodes.resolver.kept import Address, Kept

HEADER_BYTES, OUR_PAYLOAD_BYTES, LEAST_PAYLOAD_BYTES, MOST_BYTES = 12, 1232, 512, 65535
JUST_NOW_S = 0.01
"""An answer of this moment has its whole time left, although a part of a second has passed."""
LONGEST_S = 86_400
"""No answer is kept longer than a day (RFC 8767, section 4, has seven; a lab needs less)."""


class MessageError(ValueError):
    """What came is no question that can be answered; `wire` is what to say instead, None for silence."""

    def __init__(self, wire: bytes | None, rcode: str) -> None:
        super().__init__(rcode)
        self.wire, self.rcode = wire, rcode


@dataclass(frozen=True)
class Question:
    """A client's question."""

    query: dns.message.Message
    name: dns.name.Name
    kind: str

    @property
    def key(self) -> tuple[str, str]:
        """By which its answer is kept."""
        return self.name.to_text().lower(), self.kind


def question(wire: bytes) -> Question:
    """A question from bytes. Raises MessageError."""
    if len(wire) < HEADER_BYTES or wire[2] & 0x80:
        raise MessageError(None, "-")
    number, flags = struct.unpack_from("!HH", wire)
    if dns.opcode.from_flags(flags) != dns.opcode.QUERY:
        raise MessageError(_header_only(number, flags, dns.rcode.NOTIMP), "NOTIMP")
    try:
        query = dns.message.from_wire(wire)
        (asked,) = query.question
    except (dns.exception.DNSException, ValueError):
        raise MessageError(_header_only(number, flags, dns.rcode.FORMERR), "FORMERR") from None
    return Question(query, asked.name, dns.rdatatype.to_text(asked.rdtype))


def to_server(asked: Question, client: Address, bits: int) -> dns.message.Message:
    """The question to a zone's server, with so many bits of the client's address (0: with nothing of it)."""
    length = min(bits, client.max_prefixlen)
    options: list[dns.edns.Option] = [dns.edns.ECSOption(str(client), length)] if bits else []
    made = dns.message.make_query(asked.name, asked.kind, use_edns=0, payload=OUR_PAYLOAD_BYTES, options=options)
    made.flags &= ~dns.flags.RD  # the server is authoritative (RFC 1034, section 4.3.1)
    return made


def said(answer: dns.message.Message) -> tuple[str, tuple[tuple[str, str], ...], float, int | None]:
    """What a server said: its code, records, for how many seconds, and the scope's length (None: none was told)."""
    records = tuple((dns.rdatatype.to_text(rrset.rdtype), record.to_text()) for rrset in answer.answer for record in rrset)
    # Without records the zone's SOA says for how long (RFC 2308, section 5); a failure is not kept at all.
    ttls = [rrset.ttl for rrset in (answer.answer or answer.authority)]
    keep = answer.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN) and bool(ttls)
    scopes = [option.scopelen for option in answer.options if isinstance(option, dns.edns.ECSOption)]
    return dns.rcode.to_text(answer.rcode()), records, min(LONGEST_S, *ttls) if keep else 0.0, scopes[0] if scopes else None


def to_client(asked: Question, known: Kept, now_s: float, *, tcp: bool) -> bytes:
    """The answer to a client, its time to live counted down."""
    made = dns.message.make_response(asked.query, recursion_available=True, our_payload=OUR_PAYLOAD_BYTES, pad=0)
    made.set_rcode(dns.rcode.from_text(known.rcode))
    ttl_s = max(0, int(known.until_s - now_s + JUST_NOW_S))
    by_kind: dict[str, list[str]] = {}
    for kind, value in known.records:
        by_kind.setdefault(kind, []).append(value)
    made.answer += [dns.rrset.from_text(asked.name, ttl_s, "IN", kind, *values) for kind, values in by_kind.items()]
    limit = MOST_BYTES if tcp else max(LEAST_PAYLOAD_BYTES, min(asked.query.payload, OUR_PAYLOAD_BYTES))
    try:
        return made.to_wire(max_size=limit)
    except dns.exception.TooBig:
        made.flags |= dns.flags.TC
        made.answer.clear()
        return made.to_wire(max_size=MOST_BYTES)


def _header_only(number: int, flags: int, rcode: dns.rcode.Rcode) -> bytes:
    return struct.pack("!6H", number, dns.flags.QR | flags & (0x7800 | dns.flags.RD) | int(rcode), 0, 0, 0, 0)
