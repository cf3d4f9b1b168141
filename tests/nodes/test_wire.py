"""The server in dialogues, section by section; what it records; and that nothing a client says holds it up."""

from __future__ import annotations

import random
import re
import socket
import time
from itertools import pairwise

import pytest

from tests.nodes.framing_cases import CASES
from tests.nodes.wire_dialogues import DIALOGUES, Dialogue, chunked, get, post
from tests.nodes.wire_playing import play
from tests.nodes.wirekit import Answer, Daemon, hear

FAULTS = [b"\x00", b"\r", b"\n", b" ", b":", b"\xff", b"\r\n", b";", b"0"]
FLAT = [(section, dialogue) for section, dialogues in DIALOGUES.items() for dialogue in dialogues]


def connected(daemon: Daemon) -> socket.socket:
    return socket.create_connection(("127.0.0.1", daemon.port), timeout=10)


@pytest.mark.parametrize(("section", "dialogue"), FLAT, ids=[f"{s.partition(':')[0]}-{i}" for i, (s, _) in enumerate(FLAT)])
def test_a_dialogue(wire: Daemon, section: str, dialogue: Dialogue) -> None:
    play(connected(wire), dialogue, [dialogue.says])


@pytest.mark.parametrize(("section", "dialogue"), FLAT, ids=[f"{s.partition(':')[0]}-{i}" for i, (s, _) in enumerate(FLAT)])
def test_a_dialogue_cut_anywhere_is_the_same(wire: Daemon, section: str, dialogue: Dialogue) -> None:
    says, seeded = dialogue.says, random.Random(section)
    cuts = sorted({0, len(says), *(seeded.randrange(len(says) + 1) for _ in range(12))})
    play(connected(wire), dialogue, [says[a:b] for a, b in pairwise(cuts)])


@pytest.mark.parametrize("section", list(CASES))
def test_a_refusal_is_read_whole_and_nothing_behind_it_is_served(wire: Daemon, section: str) -> None:
    for said, status in CASES[section]:
        if status == 200:
            continue
        with socket.create_connection(("127.0.0.1", wire.port), timeout=10) as sock:
            try:
                sock.sendall(said + get("/status/299"))
            except OSError:
                pass  # refused while it was still being said
            answer = Answer(hear(sock))
        assert answer.status == status, said[:200]
        assert answer.fields["connection"] == "close"
        assert answer.body.startswith(str(status).encode())
        assert answer.whole
        assert b" 299 " not in answer.raw


BAD = [
    (said.replace(b"POST / ", b"POST /echo "), status)  # which reads the content, where the fault may be
    for section in CASES.values() for said, status in section if status >= 400 and len(said) < 3000
]  # fmt: skip


def _malformed(seeded: random.Random) -> tuple[bytes, int | None]:
    """What an attacker who knows the grammar says: known faults with their status, valid requests with faults, and noise."""
    kind = seeded.random()
    if kind < 0.5:
        return seeded.choice(BAD)
    right = [get("/echo"), post("/echo", b"abc"), chunked("/echo", b"1\r\na\r\n0\r\n\r\n")]
    said = bytearray(seeded.choice([*(case for case, _ in BAD), *right]))
    if kind < 0.9:
        for _ in range(seeded.randint(1, 4)):
            place = seeded.randrange(len(said))
            said[place : place + seeded.randint(0, 2)] = seeded.choice(FAULTS)
        return bytes(said), None
    return seeded.randbytes(seeded.randint(1, 200)), None


@pytest.mark.slow
def test_of_10000_malformed_requests_each_gets_an_error_or_a_close_and_the_next_good_one_is_served(wire: Daemon) -> None:
    seeded, slowest_s, errors = random.Random(9112), 0.0, 0
    for number in range(10_000):
        said, status = _malformed(seeded)
        with socket.create_connection(("127.0.0.1", wire.port), timeout=10) as sock:
            sock.sendall(said)
            if status is None:
                sock.shutdown(socket.SHUT_WR)  # it may be the beginning of something right; a known fault is told unasked
            heard = hear(sock)
        statuses = [int(found) for found in re.findall(rb"HTTP/1\.1 (\d{3}) ", heard)]
        assert all(one < 500 or one in (501, 505) for one in statuses), said  # no fault of a client is one of the server
        if status is not None:
            assert statuses == [status], said
        errors += bool(statuses and statuses[-1] >= 400)
        if number % 10 == 0:
            before = time.monotonic()
            assert wire.get("/healthz").body == b"ok\n"
            slowest_s = max(slowest_s, time.monotonic() - before)
    assert errors > 7000
    assert slowest_s < 1.0
    assert "longhaul_internal_errors_total" not in wire.get("/metrics").body.decode()
