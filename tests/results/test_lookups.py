"""Name look-ups in captures: which query was answered when, and for which connection; tshark as the oracle."""

from __future__ import annotations

import math
import subprocess
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from results.captures import lookups, tables
from results.captures.survey import Survey, survey
from tests.results.sharkkit import needs_tshark
from tests.results.test_capture_requests import said
from tests.results.test_tcp_analysis import Talk

CLIENT, SERVER, RESOLVER = "10.0.0.1", "10.0.1.1", "10.0.9.9"
NAME = "edge.mumbai"


def datagram(at_ms: float, data: bytes, *, up: bool, client: str = CLIENT, port: int = 40_000) -> tuple[float, bytes]:
    ends, ports = ((client, RESOLVER), (port, 53)) if up else ((RESOLVER, client), (53, port))
    frame = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(src=ends[0], dst=ends[1]) / UDP(
        sport=ports[0], dport=ports[1]) / data  # fmt: skip
    return at_ms, bytes(frame)


def query(number: int = 7, name: str = NAME) -> dns.message.QueryMessage:
    asked = dns.message.make_query(name, "A")
    asked.id = number
    return asked


def answer(asked: dns.message.Message, *addresses: str, code: int = dns.rcode.NOERROR) -> bytes:
    found = dns.message.make_response(asked)
    found.set_rcode(code)
    if addresses:
        found.answer.append(dns.rrset.from_text(asked.question[0].name, 30, "IN", "A", *addresses))
    return found.to_wire()


def surveyed(tmp_path: Path, *frames: tuple[float, bytes], talk: Talk | None = None) -> Survey:
    talk = talk or Talk()
    talk.frames = sorted([*talk.frames, *frames], key=lambda one: one[0])
    return survey(talk.save(tmp_path / "a.pcapng"))


def test_a_lookup_lasts_from_its_first_query_to_its_answer(tmp_path: Path) -> None:
    asked = query()
    found = surveyed(
        tmp_path, datagram(0, asked.to_wire(), up=True), datagram(1000, asked.to_wire(), up=True),
        datagram(1076, answer(asked, SERVER, "10.0.1.2"), up=False), datagram(1077, answer(asked, "10.6.6.6"), up=False),
    ).lookups  # fmt: skip
    columns = ("client", "server", "name", "type", "answer", "query_frame", "answer_frame", "queries")
    assert [found[name][0] for name in columns] == [CLIENT, RESOLVER, NAME, "A", "NOERROR", 1, 3, 2]
    assert sorted(found["addresses"][0].split()) == [SERVER, "10.0.1.2"]
    assert found["took_ms"].tolist() == pytest.approx([1076])


def test_what_has_no_answer_or_a_bad_one_says_so(tmp_path: Path) -> None:
    gone = query(8, "nowhere.lab")
    found = surveyed(tmp_path, datagram(0, query().to_wire(), up=True), datagram(1, gone.to_wire(), up=True),
                     datagram(2, answer(gone, code=dns.rcode.NXDOMAIN), up=False),
                     datagram(3, answer(query(9), "10.6.6.6"), up=False)).lookups  # fmt: skip
    assert (found["answer"], found["addresses"]) == (["", "NXDOMAIN"], ["", ""])
    assert math.isnan(found["took_ms"][0])


def http(talk: Talk, at_ms: float) -> Talk:
    """A connection from CLIENT to SERVER that begins then, with one request."""
    talk.say(at_ms, True, "S", 0).say(at_ms + 40, False, "SA", 0, 1).say(at_ms + 40.1, True, "A", 1, 1)
    return said(talk, at_ms + 41, True, 1, 1, b"GET / HTTP/1.1\r\n\r\n")


@pytest.mark.parametrize(("client", "address", "answered_ms", "is_for_it"), [
    (CLIENT, SERVER, 30, True),
    ("10.0.0.2", SERVER, 30, False),
    (CLIENT, "10.0.1.9", 30, False),
    (CLIENT, SERVER, 6050, False),
])  # fmt: skip
def test_a_connection_has_the_lookup_that_was_for_it(
    tmp_path: Path, client: str, address: str, answered_ms: float, is_for_it: bool
) -> None:
    asked = query()
    found = surveyed(tmp_path, datagram(0, asked.to_wire(), up=True, client=client),
                     datagram(answered_ms, answer(asked, address), up=False, client=client),
                     talk=http(Talk(), 6000)).requests  # fmt: skip
    early = surveyed(tmp_path, datagram(0, asked.to_wire(), up=True, client=client),
                     datagram(answered_ms, answer(asked, address), up=False, client=client),
                     talk=http(Talk(), 31)).requests  # fmt: skip
    assert math.isnan(found["lookup_ms"][0]), "six seconds later it had the address already"
    assert (early["lookup_frame"].tolist() == [1]) == is_for_it
    if is_for_it:
        assert early["lookup_ms"].tolist() == pytest.approx([30])


def test_a_lookup_is_for_one_connection_only() -> None:
    table = {"client": [CLIENT], "addresses": [SERVER], "start_ns": [0], "took_ms": [30.0], "query_frame": [1]}
    arrays = {name: value if name in ("client", "addresses") else lookups.columns([{name: value[0]}], [name])[name]
              for name, value in table.items()}  # fmt: skip
    requests = lookups.columns([{"stream": 0, "connect_ms": 40.0, "lookup_ms": math.nan, "lookup_frame": 0},
                                {"stream": 1, "connect_ms": 40.0, "lookup_ms": math.nan, "lookup_frame": 0}],
                               ["stream", "connect_ms", "lookup_ms", "lookup_frame"])  # fmt: skip
    connections = {"client": [CLIENT] * 2, "server": [SERVER] * 2,
                   **lookups.columns([{"start_ns": 40_000_000}, {"start_ns": 41_000_000}], ["start_ns"])}  # fmt: skip
    lookups.attach(requests, connections, arrays)
    assert requests["lookup_frame"].tolist() == [1, 0]


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=80) | st.just(query().to_wire())), max_size=6))
def test_any_bytes_on_port_53_are_a_lookup_or_counted(tmp_path_factory: pytest.TempPathFactory,
                                                      said: list[tuple[bool, bytes]]) -> None:  # fmt: skip
    folder = tmp_path_factory.mktemp("names")
    found = surveyed(folder, *(datagram(at, data, up=up) for at, (up, data) in enumerate(said)))
    assert len(found.lookups["name"]) <= len(said)


def test_what_is_no_dns_is_said(tmp_path: Path) -> None:
    said = surveyed(tmp_path, datagram(0, b"not DNS", up=True), datagram(1, query().to_wire()[:20], up=True),
                    datagram(2, query().to_wire(), up=True)).notes()  # fmt: skip
    assert said == ["2 datagrams of port 53 are cut or no DNS: look-ups lack them"]


def test_what_is_beyond_the_bounds_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookups, "MOST", 1)
    said = surveyed(tmp_path, *(datagram(n, query(n, f"h{n}.lab").to_wire(), up=True) for n in range(3))).notes()
    assert said == ["2 name look-ups beyond 1 were left out"]


def test_they_are_written_as_a_table(tmp_path: Path) -> None:
    found = surveyed(tmp_path, datagram(0, query().to_wire(), up=True))
    writer = tables.Csv(tmp_path / "lookups.csv", lookups.COLUMNS)
    writer.put(found.lookups)
    writer.close()
    assert (tmp_path / "lookups.csv").read_text().splitlines()[1].split(",")[:4] == [CLIENT, RESOLVER, NAME, "A"]


@needs_tshark
def test_tshark_finds_the_same_times(tmp_path: Path) -> None:
    asked = [query(number, f"h{number}.lab") for number in range(1, 9)]
    frames = [datagram(10 * n, one.to_wire(), up=True) for n, one in enumerate(asked)]
    frames += [datagram(10 * n + 3 * n + 5, answer(one, SERVER), up=False) for n, one in enumerate(asked)]
    found = surveyed(tmp_path, *frames).lookups
    told = subprocess.run(["tshark", "-r", str(tmp_path / "a.pcapng"), "-Y", "dns.time", "-T", "fields", "-e", "dns.id",
                           "-e", "dns.time"], check=True, capture_output=True, text=True).stdout.split()  # fmt: skip
    theirs = {int(number, 16): float(took) * 1e3 for number, took in zip(told[::2], told[1::2], strict=True)}
    assert found["took_ms"].tolist() == pytest.approx([theirs[one.id] for one in asked], abs=0.001)
