"""Purges by URL, prefix and group, emptying the cache, and rules that are read again."""

import json
import signal
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.nodes.edge.kept import get
from tests.nodes.wirekit import Answer, Daemon, ScriptedOrigin, hear, ok, raw, request

Edges = Callable[..., Daemon]
Scripts = Callable[..., ScriptedOrigin]


def hits(edge: Daemon, *paths: str) -> list[bool]:
    """Which paths are answered from the cache; the others are fetched."""
    return ["; hit;" in get(edge, path).fields["cache-status"] for path in paths]


def stored(head: str, sock: socket.socket) -> None:
    """An origin whose answers may be stored, in groups by the first letter of the path."""
    path = head.split()[1]
    sock.sendall(ok(path.encode(), "Cache-Control: max-age=60", f'Cache-Groups: "{path[1]}"'))


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize(
    ("what", "gone"),
    [("url=http://test/aa", ["/aa"]), ("prefix=http://test/a", ["/aa", "/ab"]), ("group=b&origin=http://test", ["/ba"])],
)
def test_what_is_purged_is_not_used_again(script: Scripts, edge_for: Edges, what: str, gone: list[str], workers: str) -> None:
    edge, paths = edge_for(script(stored).url, "--workers", workers), ["/aa", "/ab", "/ba"]
    for _ in range(4):
        hits(edge, *paths)
    assert hits(edge, *paths) == [True, True, True]
    assert json.loads(edge.get(f"/-/purge?{what}", method="POST").body) == {"purged_objects": len(gone)}
    assert hits(edge, *paths) == [path not in gone for path in paths]
    assert hits(edge, *paths) == [True, True, True]


@pytest.mark.parametrize("path", ["/a%0D%0AX-Made-Up:%20yes", "/a%20b", "/caf%C3%A9", "/a%23b", "/%25", "a"])
def test_a_fill_asks_the_origin_for_nothing_that_no_client_could_ask_for(script: Scripts, edge_for: Edges, path: str) -> None:
    heads: list[str] = []

    def note(head: str, sock: socket.socket) -> None:
        heads.append(head)
        sock.sendall(ok(b"x", "Cache-Control: max-age=60"))

    url = script(note).url
    edge = edge_for(url)
    assert edge.get(f"/-/fill?path={path}&from={url}", method="POST").status == 400
    assert heads == []


@pytest.mark.parametrize("before", [0, 500])
def test_a_purge_holds_for_what_is_being_fetched(script: Scripts, edge_for: Edges, before: int) -> None:
    """The first answer is asked for before the purge; of it nothing or its head and half have come."""
    asked, go, numbers = threading.Event(), threading.Event(), iter(b"0123")

    def slow(head: str, sock: socket.socket) -> None:
        body = bytes([next(numbers)]) * 1000
        whole = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nCache-Control: max-age=60\r\n\r\n" + body
        sent = len(whole) - 1000 + before if before else 0
        sock.sendall(whole[:sent])
        asked.set()
        go.wait(5)
        sock.sendall(whole[sent:])

    behind = script(slow)
    edge = edge_for(behind.url)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(get, edge, "/x")
        assert asked.wait(5)
        time.sleep(0.05)
        edge.get("/-/purge?url=http://test/x", method="POST")
        second = pool.submit(get, edge, "/x")
        deadline = time.monotonic() + 5
        while len(behind.heads) < 2:  # the second does not join the first
            assert time.monotonic() < deadline
        go.set()
        assert (first.result().body, second.result().body) == (b"0" * 1000, b"1" * 1000)
    assert get(edge, "/x").body == b"1" * 1000
    assert len(behind.heads) == 2


def test_what_was_asked_for_before_a_purge_is_not_stored(script: Scripts, edge_for: Edges) -> None:
    asked, go = threading.Event(), threading.Event()

    def slow(head: str, sock: socket.socket) -> None:
        asked.set()
        go.wait(5)
        stored(head, sock)

    edge = edge_for(script(slow).url)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(get, edge, "/aa")
        assert asked.wait(5)
        edge.get("/-/purge?url=http://test/aa", method="POST")
        go.set()
        assert first.result().body == b"/aa"
    assert hits(edge, "/aa", "/aa") == [False, True]


def test_a_purge_outlives_kill_9(script: Scripts, edge_for: Edges) -> None:
    behind = script(stored)
    edge = edge_for(behind.url)
    hits(edge, "/aa", "/ba")
    edge.get("/-/purge?prefix=http://test/a", method="POST")
    edge.stop(signal.SIGKILL)
    assert hits(edge_for(behind.url), "/aa", "/ba") == [False, True]


@pytest.mark.parametrize("query", ["", "url=nonsense", "prefix=/a", "group=a", "url=http://a/&prefix=http://a/"])
def test_a_purge_that_is_not_understood_is_400(script: Scripts, edge_for: Edges, query: str) -> None:
    assert edge_for(script(stored).url).get(f"/-/purge?{query}", method="POST").status == 400


def test_other_paths_and_methods_of_the_control_are_refused(script: Scripts, edge_for: Edges) -> None:
    edge = edge_for(script(stored).url)
    assert edge.get("/-/nothing").status == 404
    assert edge.get("/-/purge").fields["allow"] == "POST"


def test_the_cache_is_emptied(script: Scripts, edge_for: Edges, tmp_path: Path) -> None:
    edge = edge_for(script(stored).url)
    hits(edge, "/aa", "/aa")
    assert json.loads(edge.get("/-/cache", method="DELETE").body) == {"dropped_objects": 1}
    stats = edge.stats()
    assert (stats["objects"], stats["used_bytes"]) == (0, 0)
    assert not [path for path in (tmp_path / "cache" / "objects").rglob("*") if path.is_file()]
    assert hits(edge, "/aa") == [False]


def test_rules_are_read_again_without_dropping_a_request(script: Scripts, edge_for: Edges, tmp_path: Path) -> None:
    go = threading.Event()

    def slow(head: str, sock: socket.socket) -> None:
        if "/slow" in head:
            go.wait(5)
        stored(head, sock)

    rules = tmp_path / "rules.toml"
    rules.write_text('[[route]]\nprefix = "/"\n', encoding="utf-8")
    edge = edge_for(script(slow).url, "--rules", str(rules))
    assert hits(edge, "/aa", "/aa", "/aa") == [False, True, True]
    with socket.create_connection(("127.0.0.1", edge.port), timeout=5) as sock:
        sock.sendall(request("GET", "/slow"))
        time.sleep(0.1)
        rules.write_text('[[route]]\nprefix = "/aa"\ndeny = 410\n[[route]]\nprefix = "/"\n', encoding="utf-8")
        edge.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 5
        while get(edge, "/aa").status != 410:
            assert time.monotonic() < deadline
        go.set()
        assert sock.recv(1000).startswith(b"HTTP/1.1 200")
    rules.write_text("nonsense", encoding="utf-8")
    edge.process.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    assert get(edge, "/aa").status == 410
    told = edge.stop()[1].splitlines()
    assert told[0] == f"longhaul: read the rules {rules} again; 2 routes"
    assert told[1].startswith(f"longhaul: could not read the rules {rules}: line 1: expected '='")
    assert told[1].endswith("; the old rules hold")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_what_is_purged_while_it_is_sent_is_not_used_again(origin: Daemon, edge_for: Edges, workers: str) -> None:
    edge, path = edge_for(origin.url, "--workers", workers), "/objects/30MB/s"
    get(edge, path)
    time.sleep(0.2)
    with socket.create_connection(("127.0.0.1", edge.port), timeout=5) as slow:
        slow.sendall(f"GET {path} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
        time.sleep(0.2)
        assert json.loads(edge.get(f"/-/purge?url=http://test{path}", method="POST").body) == {"purged_objects": 1}
        slow.shutdown(socket.SHUT_WR)
        answer = Answer(hear(slow))
        assert answer.whole
        assert "; hit;" in answer.fields["cache-status"]
    assert "fwd=uri-miss" in get(edge, path).fields["cache-status"]


def test_rules_that_come_while_a_hit_is_sent_hold_for_the_next(origin: Daemon, edge_for: Edges, tmp_path: Path) -> None:
    rules, path = tmp_path / "rules.toml", "/objects/30MB/s"
    rules.write_text('[[route]]\nprefix = "/"\n', encoding="utf-8")
    edge = edge_for(origin.url, "--rules", str(rules))
    get(edge, path)
    time.sleep(0.2)
    with socket.create_connection(("127.0.0.1", edge.port), timeout=5) as slow:
        slow.sendall(f"GET {path} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
        time.sleep(0.2)
        rules.write_text('[[route]]\nprefix = "/"\ndeny = 410\n', encoding="utf-8")
        edge.process.send_signal(signal.SIGHUP)
        time.sleep(0.2)
        slow.shutdown(socket.SHUT_WR)
        assert Answer(hear(slow)).whole
    assert get(edge, path).status == 410


def held(numbered: Callable[[int], bytes], go: threading.Event) -> Callable[[str, socket.socket], None]:
    """An origin that answers once it may, each time otherwise."""
    count = iter(range(100))

    def answer(_: str, sock: socket.socket) -> None:
        number = next(count)
        go.wait(5)
        sock.sendall(numbered(number))

    return answer


def until_asked(behind: ScriptedOrigin, times: int) -> None:
    """Wait for the origin to have so many requests."""
    deadline = time.monotonic() + 5
    while len(behind.heads) < times:
        assert time.monotonic() < deadline
        time.sleep(0.01)


RULES_BY_HEADER = [
    '[[route]]\n[route.key]\nheaders = ["X-Device"]\n',
    '[[route]]\nheader.X-Device.present = true\norigin = "two"\n[[route]]\n',
]


@pytest.mark.parametrize("table", RULES_BY_HEADER)
def test_a_purge_of_a_url_reaches_fetches_under_any_key(script: Scripts, edge_for: Edges, tmp_path: Path, table: str) -> None:
    """Neither stored nor joined, though the purge does not know the header that led to the key."""
    go = threading.Event()
    behind, rules = script(held(lambda number: ok(b"%d" % number, "Cache-Control: max-age=60"), go)), tmp_path / "rules.toml"
    rules.write_text(f'[origins]\ntwo = "http://localhost:{behind.port}"\n{table}', encoding="utf-8")
    edge = edge_for(behind.url, "--rules", str(rules))
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(get, edge, "/x", "X-Device: a")
        until_asked(behind, 1)
        edge.get("/-/purge?url=http://test/x", method="POST")
        second = pool.submit(get, edge, "/x", "X-Device: a")
        until_asked(behind, 2)
        go.set()
        assert (first.result().body, second.result().body) == (b"0", b"1")
    assert get(edge, "/x", "X-Device: a").body == b"1"


@pytest.mark.parametrize("purged", [True, False])
def test_the_answer_to_a_post_is_stored_unless_a_purge_came_between(script: Scripts, edge_for: Edges, purged: bool) -> None:
    go = threading.Event()
    fields = "Cache-Control: max-age=60", "Content-Location: /x"
    behind = script(held(lambda number: ok(b"%d" % number, *fields), go))
    edge = edge_for(behind.url)
    with ThreadPoolExecutor(1) as pool:
        posted = pool.submit(get, edge, "/x", method="POST", body=b"b")
        until_asked(behind, 1)
        if purged:
            edge.get("/-/purge?url=http://test/x", method="POST")
        go.set()
        assert posted.result().body == b"0"
    assert get(edge, "/x").body == (b"1" if purged else b"0")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_only_paths_under_the_dash_are_the_edges_own(script: Scripts, edge_for: Edges, workers: str) -> None:
    edge = edge_for(script(lambda head, sock: sock.sendall(ok(head.split()[1].encode()))).url, "--workers", workers)
    for path in ("/healthz", "/metrics", "/-"):
        assert [get(edge, path).body for _ in range(3)] == [path.encode()] * 3
    assert edge.get("/-/healthz").body == b"ok\n"
    assert b"longhaul_requests_total" in edge.get("/-/metrics").body


@pytest.mark.parametrize("what", ["url=http://b/aa", "prefix=http://b/a", "group=a&origin=http://b", "prefix=http://B:80/%2561"])
@pytest.mark.parametrize(
    ("table", "gone"),
    [("", True), ('[route.key]\nheaders = ["X-Device"]\n', True), ("[route.key]\nhost = true\n", False),
     ('host = "a"\n[[route]]\nhost = "b"\norigin = "two"\n', False)],
)  # fmt: skip
def test_a_purge_reaches_what_answers_for_its_host_and_was_asked_of_another(
    script: Scripts, edge_for: Edges, tmp_path: Path, table: str, gone: bool, what: str
) -> None:
    behind, rules = script(stored), tmp_path / "rules.toml"
    rules.write_text(f'[origins]\ntwo = "http://localhost:{behind.port}"\n[[route]]\n{table}', encoding="utf-8")
    edge = edge_for(behind.url, "--rules", str(rules))

    def hit(path: str) -> bool:
        head = f"GET {path} HTTP/1.1\r\nHost: a\r\nX-Device: d\r\n\r\n".encode()
        return "; hit;" in Answer(raw(edge.port, head, half_close=True)).fields["cache-status"]

    assert [hit(path) for path in ("/aa", "/ba", "/aa", "/ba")] == [False, False, True, True]
    assert edge.get(f"/-/purge?{what}", method="POST").status == 200
    assert [hit(path) for path in ("/aa", "/ba")] == [not gone, True]


UNSAFE: list[tuple[str, str, tuple[str, ...], list[str]]] = [
    # where to,   what the origin answers,                                        what is not used again
    ("/aa", "204 No Content", (), ["/aa"]),
    ("/do", "201 Created", ("Location: /aa",), ["/aa"]),
    ("/do", "200 OK", ("Content-Location: http://b/aa?x",), ["/aa?x"]),
    ("/do", "200 OK", ("Location: http://c/aa",), []),
    ("/aa", "404 Not Found", (), []),
    ("/do", "500 No", ('Cache-Group-Invalidation: "a"',), ["/aa", "/aa?x"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("table", "reaches"),
    [("", True), ('[route.key]\nheaders = ["X-Device"]\n', True), ('[route.key]\ndrop = ["utm"]\n', True),
     ("[route.key]\nhost = true\n", False)],
)  # fmt: skip
def test_an_unsafe_request_ends_what_answers_for_its_host_and_was_asked_of_another(
    script: Scripts, edge_for: Edges, tmp_path: Path, table: str, reaches: bool
) -> None:  # fmt: skip
    answers = iter([ok(b"", *fields, status=status) for _, status, fields, _ in UNSAFE])

    def behave(head: str, sock: socket.socket) -> None:
        if head.startswith("POST"):
            sock.sendall(next(answers))
        else:
            stored(head, sock)

    rules = tmp_path / "rules.toml"
    rules.write_text(f"[[route]]\n{table}", encoding="utf-8")
    edge = edge_for(script(behave).url, "--rules", str(rules))

    def say(host: str, line: str) -> Answer:
        head = f"{line} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n"
        device = "" if line.startswith("POST") else "X-Device: d\r\n"
        return Answer(raw(edge.port, f"{head}{device}\r\n".encode(), half_close=True))

    def missed() -> list[str]:
        return [path for path in ("/aa", "/aa?x", "/bb") if "; hit;" not in say("a", f"GET {path}").fields["cache-status"]]

    assert missed() == ["/aa", "/aa?x", "/bb"]
    for path, status, fields, gone in UNSAFE:
        assert missed() == []
        say("b", f"POST {path}")
        assert missed() == (gone if reaches else []), (path, status, fields)


@pytest.mark.parametrize("prefix", ["http://TEST/a", "HTTP://test:80/a", "http://test:/%2561"])
def test_a_prefix_may_be_spelt_as_any_equal_url(script: Scripts, edge_for: Edges, tmp_path: Path, prefix: str) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text("[[route]]\n[route.key]\nhost = true\n", encoding="utf-8")
    edge = edge_for(script(stored).url, "--rules", str(rules))
    hits(edge, "/aa", "/ba")
    edge.get(f"/-/purge?prefix={prefix}", method="POST")
    assert hits(edge, "/aa", "/ba") == [False, True]
