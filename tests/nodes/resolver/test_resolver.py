"""A resolver: what it keeps for whom, what it tells servers of its clients, and what it makes of bytes that are no DNS."""

import ipaddress
import json
import re
import socket
import time

import dns.edns
import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.client.lookup import look_up
from nodes.resolver import messages
from nodes.resolver.kept import Answers, Kept, scope_of
from nodes.resolver.messages import MessageError

KEY = ("steer.test.", "A")
CHENNAI, TOKYO = ipaddress.ip_address("10.1.5.6"), ipaddress.ip_address("10.2.5.6")


def kept(address, scope=None, until_s=100.0):
    return Kept("NOERROR", (("A", address),), None if scope is None else ipaddress.ip_network(scope), until_s)


def test_an_answer_for_everybody_is_kept_for_its_time():
    answers = Answers()
    answers.put(KEY, kept("1.1.1.1"), 0.0)
    assert answers.find(KEY, TOKYO, 99.0).records == (("A", "1.1.1.1"),)
    assert answers.find(KEY, TOKYO, 100.0) is None
    assert answers.find(("other.test.", "A"), TOKYO, 0.0) is None


def test_an_answer_for_a_network_is_for_its_clients_alone_and_the_smallest_network_counts():
    answers = Answers()
    for one in (kept("1.1.1.1", "10.1.0.0/16"), kept("2.2.2.2", "10.1.5.0/24"), kept("3.3.3.3", "10.3.0.0/16")):
        answers.put(KEY, one, 0.0)
    assert answers.find(KEY, CHENNAI, 1.0).records == (("A", "2.2.2.2"),)
    assert answers.find(KEY, ipaddress.ip_address("10.1.9.9"), 1.0).records == (("A", "1.1.1.1"),)
    assert answers.find(KEY, TOKYO, 1.0) is None
    assert answers.find(KEY, ipaddress.ip_address("2001:db8::1"), 1.0) is None


def test_a_newer_answer_takes_the_place_of_the_older_and_what_is_over_is_forgotten():
    answers = Answers(most=2)
    answers.put(KEY, kept("1.1.1.1", "10.1.0.0/16", 5.0), 0.0)
    answers.put(KEY, kept("2.2.2.2", "10.1.0.0/16"), 6.0)
    assert (len(answers), answers.find(KEY, CHENNAI, 7.0).records) == (1, (("A", "2.2.2.2"),))
    answers.put(KEY, kept("3.3.3.3", "10.1.0.0/16", 6.0), 6.0)
    assert len(answers) == 0, "a time to live of 0 is kept for no time (RFC 1035, section 3.2.1)"
    for number in range(5):
        answers.put((f"{number}.test.", "A"), kept("1.1.1.1"), 0.0)
    assert len(answers) == 2


@pytest.mark.parametrize(("told", "scope", "found"), [
    (0, None, None), (0, 24, None), (24, None, None), (24, 0, None), (24, 16, "10.1.0.0/16"), (24, 24, "10.1.5.0/24"),
    (24, 32, "10.1.5.0/24"), (30, 30, "10.1.5.4/30"),
])  # fmt: skip
def test_the_scope_is_what_the_server_said_and_no_longer_than_what_it_was_told(told, scope, found):
    assert scope_of(CHENNAI, told, scope) == (None if found is None else ipaddress.ip_network(found))


def question(name="steer.test", **more):
    return messages.question(dns.message.make_query(name, "A", **more).to_wire())


def test_servers_are_told_as_much_of_the_client_as_was_asked_and_no_more():
    asked = question()
    assert messages.to_server(asked, CHENNAI, 0).options == ()
    (subnet,) = dns.message.from_wire(messages.to_server(asked, CHENNAI, 24).to_wire()).options
    assert (subnet.address, subnet.srclen, subnet.scopelen) == ("10.1.5.0", 24, 0)
    assert not messages.to_server(asked, CHENNAI, 24).flags & dns.flags.RD


def test_times_to_live_are_counted_down_and_too_much_is_cut():
    asked = question(use_edns=-1)
    made = dns.message.from_wire(messages.to_client(asked, kept("1.1.1.1", until_s=100.0), 40.5, tcp=False))
    assert (made.answer[0].ttl, made.answer[0][0].address, bool(made.flags & dns.flags.RA)) == (59, "1.1.1.1", True)
    many = Kept("NOERROR", tuple(("A", f"10.9.0.{n}") for n in range(100)), None, 100.0)
    assert dns.message.from_wire(messages.to_client(asked, many, 0, tcp=False)).flags & dns.flags.TC
    assert len(dns.message.from_wire(messages.to_client(asked, many, 0, tcp=True)).answer[0]) == 100


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.tuples(st.integers(0, 60), st.integers(0, 255)).map(
    lambda change: bytes(change[1] if n == change[0] else byte for n, byte in enumerate(VALID)))))  # fmt: skip
def test_no_bytes_are_a_question_otherwise_than_whole_or_refused_with_their_number(wire):
    try:
        asked = messages.question(wire)
    except MessageError as error:
        refused = error.wire
    else:
        messages.to_server(asked, CHENNAI, 24).to_wire()
        refused = messages.to_client(asked, kept("1.1.1.1"), 0, tcp=False)
    assert refused is None or (refused[:2] == wire[:2] and refused[2] & 0x80)


VALID = dns.message.make_query("steer.test", "A", use_edns=0, options=[dns.edns.ECSOption("10.1.5.0", 24)]).to_wire()


@pytest.fixture
def resolve(start, tmp_path):
    """A resolver before a real steering with two sites; gives what a client at 127.0.0.1 is told."""

    def make(*options, ttl="20s"):
        steering = start("steering", "--site", "near", "--site", "home", "--dns", "127.0.0.1:0", "--dns-name", "steer.test",
                         "--dns-ttl", ttl)  # fmt: skip
        for site, prefix, number in (("near", "127.0.0.0/30", 7), ("home", "127.0.0.0/8", 9)):
            body = {"edge": site, "site": site, "url": f"http://127.0.0.{number}", "at": time.time(),
                    "health": {"used": {"cpu": 0.1}}, "routes": [{"prefix": prefix}]}  # fmt: skip
            assert steering.get("/-/reports", method="POST", body=json.dumps(body).encode()).status == 200
        server = json.loads(steering.get("/-/state").body)["dns"]["listen"]
        made = start("resolver", "--dns", "127.0.0.1:0", "--zone", f"steer.test={server}", "--log",
                     str(tmp_path / "resolver.jsonl"), *options)  # fmt: skip
        made.where, made.steering = json.loads(made.get("/-/state").body)["dns"], steering
        return made

    return make


def test_a_client_is_told_what_the_server_says_of_its_network_and_the_second_time_what_is_kept(resolve):
    made = resolve("--client-subnet", "32")
    found = [look_up("steer.test", made.where, 5) for _ in range(2)]
    assert [one.addresses for one in found] == [("127.0.0.7",)] * 2
    assert found[0].ttl_s == 20
    assert json.loads(made.get("/-/state").body)["kept"] == 1
    made.get("/-/kept", method="DELETE")
    look_up("steer.test", made.where, 5)
    assert re.search(r'^longhaul_resolver_answers_total\{node="[^"]+",known_from="kept"\} 1$', made.metrics(), re.M)
    assert made.stop() == (0, "")
    lines = [json.loads(line) for line in made.log.read_text().splitlines() if '"resolved"' in line]
    assert [(one["known_from"], one["subnet"], one["scope"]) for one in lines] == [
        ("asked", "127.0.0.1/32", 30), ("kept", None, 30), ("asked", "127.0.0.1/32", 30)]  # fmt: skip
    assert lines[0]["server_ms"] > 0


def test_with_a_time_to_live_of_0_every_look_up_asks(resolve):
    made = resolve(ttl="0s")
    assert [look_up("steer.test", made.where, 5).ttl_s for _ in range(2)] == [0, 0]
    assert made.steering.metrics().count('longhaul_dns_queries_total{node=') == 1
    made.stop()
    assert made.log.read_text().count('"known_from":"asked"') == 2


def test_it_refuses_other_zones_answers_for_a_dead_server_and_survives_garbage(resolve):
    made = resolve("--server-timeout", "200ms")
    assert look_up("other.test", made.where, 5).error.endswith("it said REFUSED and no address")
    made.steering.stop()
    host, _, port = made.where.rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for wire in (b"", b"x", bytes(1000), VALID[:20]):
            sock.sendto(wire, (host, int(port)))
    reply = dns.query.tcp(dns.message.make_query("steer.test", "A"), host, port=int(port), timeout=10)
    assert reply.rcode() == dns.rcode.SERVFAIL
    assert made.stop() == (0, "")
    assert '"known_from":"asked"' in made.log.read_text() and '"error":' in made.log.read_text()  # noqa: PT018


def test_a_look_up_that_nobody_answers_says_so():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        found = look_up("steer.test", f"127.0.0.1:{silent.getsockname()[1]}", 0.2)
    assert found.error.startswith("could not look up steer.test at 127.0.0.1:")
    assert 190 < found.took_ms < 1000
