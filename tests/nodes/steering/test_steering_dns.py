"""DNS as its specification: RFC 1035, 6891 and 7871, dialogue by dialogue; and what is not DNS at all."""

import ipaddress
import json
import socket
import struct
import time

import dns.edns
import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nodes.steering.directory import Directory
from nodes.steering.naming import Zone, answer
from nodes.steering.ranking import rank
from nodes.steering.reports import parse

ZONE = Zone.of("steer.example", 20)
NEAR_TOKYO, NEAR_MUMBAI = ipaddress.ip_address("10.2.0.53"), ipaddress.ip_address("10.1.0.53")


def directory():
    made = Directory(["mumbai", "tokyo"])
    for edge, site, host, prefix in (
        ("m1", "mumbai", "10.9.1.1", "10.1.0.0/16"), ("m2", "mumbai", "10.9.1.2", "10.1.0.0/16"),
        ("m6", "mumbai", "[2001:db8::1]", "10.1.0.0/16"), ("t1", "tokyo", "10.9.2.1", "10.2.0.0/16"),
        ("t2", "tokyo", "10.9.2.2", "0.0.0.0/0"),
    ):  # fmt: skip
        made.take(parse({"edge": edge, "site": site, "url": f"http://{host}", "at": 100.0, "health": {"used": {"cpu": 0.5}},
                         "routes": [{"prefix": prefix, "as_path": [64500]}]}, 100.0))  # fmt: skip
    return made


KNOWN = directory()


def choose(client):
    return rank(KNOWN, client, None, 100.0, most=4), KNOWN.prefixes.scope(client)


def query(name="steer.example", kind="A", *options, edns=True, **more):
    return dns.message.make_query(name, kind, use_edns=0 if edns else -1, options=list(options), **more)


def said(message, resolver=NEAR_TOKYO, *, tcp=False):
    wire = message if isinstance(message, bytes) else message.to_wire()
    found = answer(wire, resolver, ZONE, choose, tcp=tcp)
    return None if found.wire is None else dns.message.from_wire(found.wire)


def addresses(reply):
    return sorted(record.address for records in reply.answer for record in records)


def subnet(reply):
    (found,) = [option for option in reply.options if isinstance(option, dns.edns.ECSOption)]
    return f"{found.address}/{found.srclen}", found.scopelen


def test_without_a_client_subnet_the_resolver_is_the_client():
    reply = said(query())
    assert addresses(reply) == ["10.9.2.1", "10.9.2.2"]
    assert reply.flags & dns.flags.AA
    assert not reply.flags & dns.flags.RA
    assert reply.answer[0].ttl == 20
    assert reply.options == ()
    assert addresses(said(query(edns=False), NEAR_MUMBAI)) == ["10.9.1.1", "10.9.1.2"]


@pytest.mark.parametrize(("client", "length", "found", "scope"), [
    ("10.1.5.0", 24, ["10.9.1.1", "10.9.1.2"], 16),
    ("10.2.5.0", 24, ["10.9.2.1", "10.9.2.2"], 16),
    ("172.16.0.0", 12, ["10.9.2.1", "10.9.2.2"], 1),
    ("10.1.5.6", 32, ["10.9.1.1", "10.9.1.2"], 16),
])  # fmt: skip
def test_the_client_subnet_decides_and_the_answer_says_how_far_it_holds(client, length, found, scope):
    reply = said(query("steer.example", "A", dns.edns.ECSOption(client, length)))
    assert addresses(reply) == found
    assert subnet(reply) == (f"{client}/{length}", scope), "SOURCE PREFIX-LENGTH and ADDRESS come back (RFC 7871, 7.2.1)"


def test_a_subnet_of_length_0_asks_that_the_client_be_left_out():
    reply = said(query("steer.example", "A", dns.edns.ECSOption("0.0.0.0", 0)), NEAR_MUMBAI)
    assert addresses(reply) == ["10.9.1.1", "10.9.1.2"]
    assert subnet(reply) == ("0.0.0.0/0", 0)


def test_aaaa_has_the_edges_that_have_one():
    assert addresses(said(query(kind="AAAA"), NEAR_MUMBAI)) == ["2001:db8::1"]
    none = said(query(kind="AAAA"), NEAR_TOKYO)
    assert (none.rcode(), none.answer, none.authority[0].rdtype.name) == (dns.rcode.NOERROR, [], "SOA"), "NODATA (RFC 2308)"


def test_without_an_edge_the_answer_says_why():
    reply = said(query("steer.example", "A", dns.edns.ECSOption("2001:db8::", 56)))
    assert reply.rcode() == dns.rcode.SERVFAIL
    (why,) = [option for option in reply.options if isinstance(option, dns.edns.EDEOption)]
    assert why.text.startswith("no site has learned a route to 2001:db8::;")


@pytest.mark.parametrize(("name", "kind", "rcode"), [
    ("steer.example", "TXT", "NOERROR"), ("steer.example", "SOA", "NOERROR"), ("below.steer.example", "A", "NXDOMAIN"),
    ("example", "A", "REFUSED"), ("other.test", "A", "REFUSED"), ("xsteer.example", "A", "REFUSED"),
    ("steer.example", "AXFR", "REFUSED"), ("STEER.Example", "A", "NOERROR"),
])  # fmt: skip
def test_it_is_authoritative_for_its_name_and_refuses_others(name, kind, rcode):
    reply = said(query(name, kind))
    assert dns.rcode.to_text(reply.rcode()) == rcode
    assert bool(reply.flags & dns.flags.AA) == (rcode != "REFUSED")
    assert str(reply.question[0].name) == name + ".", "as it was written"


def test_other_classes_are_refused_and_other_versions_of_edns_told_ours():
    assert said(query(rdclass="CH")).rcode() == dns.rcode.REFUSED
    newer = query()
    newer.use_edns(1)
    reply = said(newer)
    assert (reply.rcode(), reply.edns, reply.answer) == (dns.rcode.BADVERS, 0, [])


def test_what_does_not_fit_is_cut_and_asked_for_again_by_tcp():
    many = Directory(["mumbai"])
    for number in range(60):
        many.take(parse({"edge": f"m{number}", "site": "mumbai", "url": f"http://10.9.1.{number}", "at": 100.0,
                         "health": {"used": {"cpu": 0.5}}, "routes": [{"prefix": "0.0.0.0/0"}]}, 100.0))  # fmt: skip

    def everyone(client):
        return rank(many, client, None, 100.0, most=60), 0

    plain = query(edns=False).to_wire()
    cut = dns.message.from_wire(answer(plain, NEAR_TOKYO, ZONE, everyone).wire)
    assert (bool(cut.flags & dns.flags.TC), cut.answer) == (True, [])
    whole = dns.message.from_wire(answer(plain, NEAR_TOKYO, ZONE, everyone, tcp=True).wire)
    assert (bool(whole.flags & dns.flags.TC), len(addresses(whole))) == (False, 60)
    assert len(addresses(dns.message.from_wire(answer(query().to_wire(), NEAR_TOKYO, ZONE, everyone).wire))) == 60, "in 1232"


def header(number=7, flags=0, counts=(0, 0, 0, 0)):
    return struct.pack("!6H", number, flags, *counts)


QUESTION = b"\x05steer\x07example\x00\x00\x01\x00\x01"


def option(data):
    """A query whose only EDNS option is a client subnet of these bytes."""
    record = b"\x00" + struct.pack("!HHIH", 41, 1232, 0, len(data) + 4) + struct.pack("!HH", 8, len(data)) + data
    return header(counts=(1, 0, 0, 1)) + QUESTION + record


@pytest.mark.parametrize("wire", [b"", b"\x00", header()[:11], header(flags=0x8000), said.__name__.encode()])
def test_what_is_no_query_gets_silence(wire):
    assert said(wire) is None


ONE = header(counts=(1, 0, 0, 0))


@pytest.mark.parametrize("wire", [
    header(), ONE, ONE + QUESTION[:-1], ONE + QUESTION + b"more", header(counts=(2, 0, 0, 0)) + QUESTION * 2,
    ONE + b"\xc0\x0c\x00\x01\x00\x01", ONE + b"\x40x\x00\x00\x01\x00\x01",
    header(counts=(1, 0, 0, 2)) + QUESTION + (b"\x00" + bytes((0, 41)) + bytes(8)) * 2,
    option(b"\x00\x03\x18\x00\x0a\x01\x05"), option(b"\x00\x01\x21\x00\x0a\x01\x05\x06\x07"),
    option(b"\x00\x01\x18\x00\x0a\x01"), option(b"\x00\x01\x17\x00\x0a\x01\x05"),
    option(b"\x00\x01\x18\x08\x0a\x01\x05"), option(b"\x00\x01\x18\x00\x0a\x01\x05\x00"),
    option(b"\x00"), option(b"\x00\x00\x00\x00"),
])  # fmt: skip
def test_what_is_malformed_is_told_so(wire):
    reply = said(wire)
    assert (reply.id, reply.rcode(), reply.answer) == (7, dns.rcode.FORMERR, [])


@pytest.mark.parametrize("opcode", [1, 2, 4, 5, 6, 15])
def test_other_operations_are_not_implemented(opcode):
    assert said(header(flags=opcode << 11 | 0x0100)).rcode() == dns.rcode.NOTIMP


VALID = query("steer.example", "A", dns.edns.ECSOption("10.1.5.0", 24)).to_wire()
spoiled = st.lists(st.tuples(st.integers(0, len(VALID) - 1), st.integers(0, 255)), min_size=1, max_size=6).map(
    lambda changes: bytes(dict(changes).get(place, byte) for place, byte in enumerate(VALID)))  # fmt: skip
cut = st.integers(0, len(VALID)).map(lambda size: VALID[:size])
grown = st.binary(max_size=40).map(lambda more: VALID + more)
headed = st.tuples(st.binary(min_size=12, max_size=12), st.binary(max_size=300)).map(b"".join)


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.binary(max_size=600), spoiled, cut, grown, headed), st.booleans())
@example(header(counts=(1, 0, 0, 0)) + b"\x3f" + b"a" * 63 + b"\xc0\x0c\x00\x01\x00\x01", False)
def test_no_bytes_are_answered_otherwise_than_by_a_whole_answer_or_silence(wire, tcp):
    found = answer(wire, NEAR_TOKYO, ZONE, choose, tcp=tcp)
    if found.wire is None:
        assert len(wire) < 12 or wire[2] & 0x80, "only what is no query at all"
        return
    reply = dns.message.from_wire(found.wire)
    assert reply.flags & dns.flags.QR
    assert found.wire[:2] == wire[:2], "the number of the query"
    assert len(found.wire) <= (65535 if tcp else 1232)


@pytest.fixture
def steering(start, tmp_path):
    made = start("steering", "--site", "home", "--dns", "127.0.0.1:0", "--dns-name", "steer.example", "--log",
                 str(tmp_path / "log.jsonl"))  # fmt: skip
    body = {"edge": "e", "site": "home", "url": "http://127.0.0.9:8080", "at": time.time(), "health": {"used": {"cpu": 0.5}},
            "routes": [{"prefix": "127.0.0.0/8"}, {"prefix": "10.0.0.0/8"}]}  # fmt: skip
    assert made.get("/-/reports", method="POST", body=json.dumps(body).encode()).status == 200
    made.dns_port = int(json.loads(made.get("/-/state").body)["dns"]["listen"].rpartition(":")[2])
    return made


def test_the_daemon_answers_by_udp_and_tcp_survives_garbage_and_keeps_a_record(steering):
    for ask in (dns.query.udp, dns.query.tcp):
        assert addresses(ask(query(), "127.0.0.1", port=steering.dns_port, timeout=5)) == ["127.0.0.9"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for wire in (b"", b"x", bytes(1000), header(flags=0x8000), option(b"\x00")):
            sock.sendto(wire, ("127.0.0.1", steering.dns_port))
    for wire in (b"\x00", b"\x00\x00", b"\xff\xffshort", b"\x00\x05hello"):
        with socket.create_connection(("127.0.0.1", steering.dns_port), timeout=5) as sock:
            sock.sendall(wire)
    with socket.create_connection(("127.0.0.1", steering.dns_port), timeout=5) as sock:
        for wire in (query().to_wire(), header()):  # several on one connection, in pieces (RFC 7766)
            for byte in len(wire).to_bytes(2, "big") + wire:
                sock.sendall(bytes((byte,)))
            size = int.from_bytes(sock.recv(2, socket.MSG_WAITALL), "big")
            assert sock.recv(size, socket.MSG_WAITALL)[:2] == wire[:2]
    far = query("steer.example", "A", dns.edns.ECSOption("10.1.5.0", 24))
    assert subnet(dns.query.udp(far, "127.0.0.1", port=steering.dns_port, timeout=5)) == ("10.1.5.0/24", 8)
    assert 'longhaul_dns_queries_total{node=' in steering.metrics()
    assert steering.stop() == (0, "")
    lines = [json.loads(line) for line in steering.log.read_text().splitlines()]
    (last,) = [line for line in lines if line.get("subnet")]
    assert (last["asked_by"], last["client"], last["scope"], last["addresses"]) == ("127.0.0.1", "10.1.5.0", 8, ["127.0.0.9"])
    assert last["decision"]["urls"][0]["edge"] == "e"


def test_a_port_that_is_taken_is_an_error_that_says_so(start):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(AssertionError, match=f"could not answer DNS on {where}: address already in use; choose another"):
            start("steering", "--site", "home", "--dns", where)
