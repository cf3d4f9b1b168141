"""Variants where a rule changes what the origin sees: they are chosen by what it saw."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from pathlib import Path

from tests.nodes.edge.kept import get
from tests.nodes.wirekit import Daemon, ScriptedOrigin, ask, ok

Edges = Callable[..., Daemon]
Scripts = Callable[..., ScriptedOrigin]


def telling(name: str) -> Callable[[str, socket.socket], None]:
    """An origin whose content is the value of a field, by which it varies."""

    def answer(head: str, sock: socket.socket) -> None:
        found = re.search(rf"(?im)^{name}: *(.*?)\r?$", head)
        sock.sendall(ok(found[1].encode() if found else b"-", "Cache-Control: max-age=60", f"Vary: {name}"))

    return answer


def rules(folder: Path, text: str) -> tuple[str, str]:
    """Arguments with rules."""
    path = folder / "rules.toml"
    path.write_text(text, encoding="utf-8")
    return "--rules", str(path)


def test_a_field_that_a_rule_sets_chooses_by_what_the_rule_set(script: Scripts, edge_for: Edges, tmp_path: Path) -> None:
    behind = script(telling("X-Lang"))
    edge = edge_for(behind.url, *rules(tmp_path, '''
[[route]]
header = { Cookie = { equals = "lang=de" } }
request = { set = { X-Lang = "de" } }
[[route]]
request = { set = { X-Lang = "en" } }
'''))  # fmt: skip
    for _ in range(3):
        assert get(edge, "/a", "Cookie: lang=de").body == b"de"
        assert get(edge, "/a").body == b"en"
        assert get(edge, "/a", "X-Lang: de").body == b"en", "what the client says is not what the origin sees"
    assert len(behind.heads) == 2


def test_clients_told_apart_by_a_rule_are_told_apart_in_prepared_answers(
    script: Scripts, edge_for: Edges, tmp_path: Path
) -> None:  # fmt: skip
    behind = script(telling("X-From"))
    edge = edge_for(behind.url, *rules(tmp_path, '[[route]]\nrequest = { set = { X-From = "{client}" } }\n'))
    for _ in range(4):
        for own in ("127.0.0.1", "127.0.0.2"):
            with socket.create_connection(("127.0.0.1", edge.port), timeout=5, source_address=(own, 0)) as sock:
                sock.sendall(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
                assert own.encode() in sock.recv(65536)
    assert len(behind.heads) == 2


def test_a_field_in_the_key_counts_only_if_the_origin_sees_it(script: Scripts, edge_for: Edges, tmp_path: Path) -> None:
    def answer(head: str, sock: socket.socket) -> None:
        sock.sendall(ok(b"de" if "x-lang: de" in head.lower() else b"-", "Cache-Control: max-age=60"))

    edge = edge_for(script(answer).url, *rules(tmp_path, '[[route]]\nkey = { headers = ["X-Lang"] }\n'))
    assert ask(edge.port, "GET", "/a", "X-Lang: de", "Connection: x-lang").body == b"-"
    assert get(edge, "/a", "X-Lang: de").body == b"de"
