"""The compiled core reads and follows what the reference reads and follows, in every column."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop
from scapy.layers.l2 import Dot1AD, Dot1Q, Ether

import cores
from cores import CAPTURES
from results.captures import compiled, layers, made
from results.captures.columns import TYPES, Packets
from results.captures.connection_table import analyse
from results.captures.formats import ACK, FIN, PSH, RST, SYN
from results.captures.reader import read
from results.captures.records import Frames

SACKS = ("sack_row", "sack_left", "sack_right")


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    problem = CAPTURES.build()
    if problem:
        pytest.skip(f"no compiled core: {problem}")
    compiled.core.cache_clear()
    assert compiled.core() is not None


@contextmanager
def without_core() -> Iterator[None]:
    """The reference serves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "core", lambda: None)
        yield


def both(work: Callable[[], Any]) -> tuple[Any, Any]:
    """What the core makes of it, and what the reference does."""
    found = work()
    with without_core():
        return found, work()


def same(one: Packets, other: Packets) -> None:
    for name in (*TYPES, *SACKS):
        mine, its = getattr(one, name), getattr(other, name)
        assert mine.dtype == its.dtype, name
        assert mine.tolist() == its.tolist(), name


# Headers ------------------------------------------------------------------------------------------------------------

_ETHER = {"src": "02:00:00:00:00:01", "dst": "02:00:00:00:00:02"}
_LINKS: list[tuple[int, Any]] = [
    (1, Ether(**_ETHER)), (1, Ether(**_ETHER) / Dot1Q(vlan=5)), (1, Ether(**_ETHER) / Dot1AD(vlan=0) / Dot1Q(vlan=7)),
    (101, None), (113, bytes(14)), (276, None), (0, b"\2\0\0\0"), (105, b"radio"),
]  # fmt: skip
_V4, _V6 = {"src": "10.0.0.1", "dst": "10.0.1.1"}, {"src": "2001:db8::1", "dst": "2001:db8::2"}
_NETWORKS = [
    IP(**_V4, id=77, tos=3), IP(**_V4, frag=9), IP(**_V4, len=0), IPv6(**_V6),
    IPv6(**_V6) / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt(), IPv6(**_V6) / IPv6ExtHdrFragment(m=1, id=70_000),
    IPv6(**_V6) / IPv6ExtHdrFragment(offset=3, id=7),
]  # fmt: skip
_STAMPS = [("NOP", None), ("NOP", None), ("Timestamp", (7, 8))]
_TRANSPORTS = [
    TCP(sport=1, dport=2, flags=0x1F2), TCP(options=_STAMPS), UDP(sport=9, dport=53), ICMP(type=11, code=1),
    TCP(options=[("MSS", 1460), ("SAckOK", b""), ("Timestamp", (7, 0)), ("NOP", None), ("WScale", 15)]),
    TCP(options=[*_STAMPS, ("NOP", None), ("NOP", None), ("SAck", (1, 2, 30, 40, 500, 600))]),
]  # fmt: skip
_BYTES = st.integers(0, 255) | st.sampled_from([0, 1, 2, 4, 5, 8, 44, 60])
_CHANGES = st.lists(st.tuples(st.integers(0, 140), _BYTES), max_size=6)
_FRAMES = st.lists(st.tuples(
    st.sampled_from(_LINKS), st.sampled_from(_NETWORKS), st.sampled_from(_TRANSPORTS), st.binary(max_size=30), _CHANGES,
    st.none() | st.integers(0, 140), st.integers(0, 9000),
), min_size=1, max_size=20)  # fmt: skip


def _frame(link: tuple[int, Any], network: Any, transport: Any, body: bytes) -> tuple[int, bytes]:
    kind, head = link
    inner = bytes(network / transport / body)
    if kind == 1:
        return kind, bytes(head / network / transport / body)
    ethertype = b"\x08\x00" if network.version == 4 else b"\x86\xdd"
    if kind == 113:
        return kind, head + ethertype + inner
    return kind, ethertype + bytes(18) + inner if kind == 276 else (head or b"") + inner


@given(_FRAMES)
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_column_of_every_frame_is_the_same_however_damaged(given_frames: list[Any]) -> None:
    data, at, captured, wire, interface = bytearray(), [], [], [], []
    kinds = [1, 101, 113, 276, 0, 105]
    for link, network, transport, body, changes, kept, more in given_frames:
        kind, frame = _frame(link, network, transport, body)
        changed = bytearray(frame)
        for place, value in changes:
            if place < len(changed):
                changed[place] = value
        changed = changed[:kept]
        at.append(len(data))
        captured.append(len(changed))
        wire.append(len(changed) + more)
        interface.append(kinds.index(kind))
        data += changed
    data += bytes(256)
    columns = [np.array(one, kind) for one, kind in (
        (at, np.int64), (captured, np.uint32), (wire, np.uint32), (range(len(at)), np.int64),
        (interface, np.uint32))]  # fmt: skip
    mine, its = both(lambda: layers.dissect(Frames(data, *columns, 1), kinds))
    same(mine, its)


# Connections --------------------------------------------------------------------------------------------------------

_MS = 1_000_000
_FLAGS = st.sampled_from([ACK] * 12 + [SYN, SYN | ACK, FIN | ACK, RST, RST | ACK, 0, SYN | FIN, PSH | ACK, SYN | RST])
_SMALL, _ANY = st.integers(-3, 40), st.integers(0, 2**32 - 1)
_SEGMENTS = st.lists(st.fixed_dictionaries({
    "ends": st.sampled_from([(0, 1)] * 6 + [(1, 0)] * 6 + [(2, 1), (1, 2), (1, 1)]), "port": st.sampled_from([0, 0, 0, 1]),
    "interface": st.integers(0, 1), "flags": _FLAGS, "seq": _SMALL | _SMALL | _SMALL | _ANY, "ack": _SMALL | _SMALL | _ANY,
    "payload": st.sampled_from([0, 0, 0, 1, 1, 3, 5, 10, 70_000]), "window": st.sampled_from([0, 9, 9, 9, 500]),
    "scale": st.integers(-1, 14), "stamp": st.none() | st.integers(0, 6), "echo": st.integers(0, 6),
    "later": st.sampled_from([0, 1, 1000, _MS, 5 * _MS, 250 * _MS, -7]),
    "sacks": st.lists(st.tuples(_SMALL, _SMALL), max_size=3) | st.just([]),
}), min_size=1, max_size=60)  # fmt: skip

_SIDE, _BACK = st.booleans(), st.integers(0, 6)
_TURNS = st.lists(st.tuples(
    st.sampled_from([0, 0, 1000, _MS, 5 * _MS, 30 * _MS, 250 * _MS]), st.sampled_from([0, 0, 1]), st.one_of(
        st.tuples(st.just("data"), _SIDE, st.integers(1, 4)), st.tuples(st.just("lost"), _SIDE, st.integers(1, 4)),
        st.tuples(st.just("again"), _SIDE, _BACK), st.tuples(st.just("probe"), _SIDE, st.integers(0, 1)),
        st.tuples(st.sampled_from(["ack", "ack", "sack", "nested", "fin", "thrice"]), _SIDE, _BACK),
    )), min_size=5, max_size=50)  # fmt: skip


def conversation(turns: list[Any], opened: int, stamped: bool) -> list[dict[str, Any]]:
    """A connection of two sides that lose, repeat, acknowledge and probe, with `opened` segments of a handshake."""
    usual = {"port": 0, "interface": 0, "payload": 0, "window": 9, "scale": 3, "echo": 0, "sacks": []}
    out: list[dict[str, Any]] = []
    sent: list[list[tuple[int, int]]] = [[(0, 1)], [(0, 1)]]
    acked, tick = [0, 0], 0
    for number, (side, flags) in enumerate([(0, SYN), (0, SYN), (1, SYN | ACK), (0, ACK), (0, SYN)][:opened]):
        out.append({**usual, "ends": (side, 1 - side), "flags": flags, "seq": int(number == 3), "ack": int(number > 1),
                    "stamp": 0 if stamped else None, "later": 10 * _MS})  # fmt: skip
    for later, ticks, (what, right, value) in turns:
        side, tick = int(right), tick + ticks
        mine, its = sent[side], sent[1 - side]
        top = mine[-1][0] + mine[-1][1]
        said = {**usual, "ends": (side, 1 - side), "flags": ACK, "seq": top, "ack": acked[side], "later": later,
                "stamp": tick if stamped else None, "echo": max(0, tick - value)}  # fmt: skip
        old = mine[max(0, len(mine) - 1 - value)]
        if what in ("data", "lost"):
            mine.append((top, 3 * value))
            said["payload"] = 3 * value
        elif what == "again":
            said |= {"seq": old[0], "payload": old[1]}
        elif what == "probe":
            said |= {"seq": top - 1, "payload": value}
        elif what == "fin":
            said["flags"] |= FIN
        else:
            reached = its[max(0, len(its) - 1 - value)]
            if what == "ack":
                acked[side] = said["ack"] = reached[0] + reached[1]
            elif what == "sack":
                said["sacks"] = [(reached[0], reached[0] + reached[1])]
            elif what == "nested":  # a D-SACK above the cumulative acknowledgement (RFC 2883, section 4)
                said["sacks"] = [(reached[0], reached[0] + reached[1]), (reached[0], its[-1][0] + its[-1][1])]
        if what != "lost":
            out += [said, said, {**said, "later": 0}, said] if what == "thrice" else [said]
    return out


def talk(segments: list[dict[str, Any]], isns: tuple[int, int, int]) -> Packets:
    """Packets of up to six pairs of endpoints. Numbers are near their sender's first, mostly."""
    found = Packets.zeros(len(segments) + 1)
    found.frame[:], found.version[:], found.protocol[:], found.header_bytes[:] = np.arange(1, len(found) + 1), 4, 6, 20
    found.protocol[-1] = 17  # one that is no segment
    edges: list[tuple[int, int, int]] = []
    now = 0
    for row, said in enumerate(segments):
        mine, its = said["ends"]
        now += said["later"]
        found.time_ns[row], found.interface[row] = now, said["interface"]
        found.source_low[row], found.destination_low[row] = 7 + mine, 7 + its
        found.source_high[row] = found.destination_high[row] = 1
        found.source_port[row], found.destination_port[row] = 50 + said["port"] * (mine < its), 50 + said["port"] * (its < mine)
        found.seq[row] = (isns[mine] + said["seq"]) % 2**32
        found.ack[row] = (isns[its] + said["ack"]) % 2**32
        found.flags[row], found.payload[row], found.window[row] = said["flags"], said["payload"], said["window"]
        found.scale[row] = said["scale"] if said["flags"] & SYN else -1
        found.has_stamp[row] = said["stamp"] is not None
        found.stamp[row], found.echo[row] = said["stamp"] or 0, said["echo"] if said["stamp"] is not None else 0
        found.sacks[row] = len(said["sacks"])
        edges += [(row, (isns[its] + left) % 2**32, (isns[its] + right) % 2**32) for left, right in said["sacks"]]
    for name, column, dtype in zip(SACKS, zip(*edges, strict=True), (np.int64, np.uint32, np.uint32), strict=bool(edges)):
        setattr(found, name, np.array(column, dtype))
    return found


def agree(one: Any, other: Any, name: str = "") -> None:
    """Of every field, down to the arrays."""
    if dataclasses.is_dataclass(one):
        if not isinstance(one, Packets):
            for field in dataclasses.fields(one):
                agree(getattr(one, field.name), getattr(other, field.name), f"{name}.{field.name}")
    elif isinstance(one, dict):
        for key in one:
            agree(one[key], other[key], f"{name}[{key}]")
    elif isinstance(one, list):
        assert one == other, name
    else:
        assert one.dtype == other.dtype, name
        assert np.array_equal(one, other, equal_nan=one.dtype.kind == "f"), (name, one, other)


_ISNS = st.tuples(_ANY, _ANY, _ANY)


@given(_SEGMENTS, _ISNS, st.booleans())
@settings(max_examples=800, deadline=None)
def test_segments_of_any_kind_are_followed_the_same(
    segments: list[dict[str, Any]], isns: tuple[int, int, int], apart: bool
) -> None:
    packets = talk(segments, isns)
    agree(*both(lambda: analyse(packets, apart)))


@given(st.builds(conversation, _TURNS, st.integers(0, 5), st.booleans()), _ISNS)
@settings(max_examples=1500, deadline=None)
def test_losses_repairs_and_probes_are_told_apart_the_same(segments: list[dict[str, Any]], isns: tuple[int, int, int]) -> None:
    packets = talk(segments, isns)
    agree(*both(lambda: analyse(packets)))


@pytest.mark.parametrize("loss", [0.0, 0.02, 0.2])
def test_a_whole_capture_is_analysed_the_same(tmp_path: Path, loss: float) -> None:
    path = tmp_path / "made.pcap"
    made.write(path, 15, 300, loss)
    packets, _ = read(path)
    mine, its = both(lambda: analyse(packets))
    agree(mine, its)
    assert len(mine.losses.again) > 50 or not loss


def test_without_a_core_the_reference_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "made.pcap"
    made.write(path, 3, 40, 0.02)
    expected = analyse(read(path)[0])
    monkeypatch.setattr(cores.Core, "find", lambda _: ("", "not built"))
    compiled.core.cache_clear()
    try:
        assert compiled.core() is None
        agree(expected, analyse(read(path)[0]))
    finally:
        compiled.core.cache_clear()
