"""The server in dialogues, section by section; what it records; and that nothing a client says holds it up."""

from __future__ import annotations

import random
import socket
from itertools import pairwise

import pytest

from tests.nodes.framing_cases import CASES
from tests.nodes.wire_dialogues import DIALOGUES, Dialogue, get
from tests.nodes.wire_playing import play
from tests.nodes.wirekit import Answer, Daemon, hear

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
