"""Dialogues with the origin: the client says, the origin answers, the client sees."""

import base64
import email
import hashlib
import json
import socket
import time
from pathlib import Path

import pytest

from nodes.origin.generate import content, sha256
from tests.nodes.wirekit import Answer, Daemon, ask, hear, raw


def test_a_generated_object_is_what_its_name_says(origin: Daemon) -> None:
    answer = origin.get("/objects/100KB/some/name")
    assert answer.status == 200
    assert answer.body == content("some/name", 100_000, 0, 100_000)
    assert answer.fields["repr-digest"] == f"sha-256=:{base64.b64encode(sha256('some/name', 100_000)).decode()}:"
    assert answer.fields["cache-control"] == "public, max-age=3600"
    assert answer.fields["etag"].startswith('"')
    assert "last-modified" in answer.fields


def test_one_object_has_two_spellings_of_its_size(origin: Daemon) -> None:
    assert origin.get("/objects/1KiB/a").body == origin.get("/objects/1024B/a").body


def test_head_has_the_fields_of_get_and_no_content(origin: Daemon) -> None:
    get, head = origin.get("/objects/3KiB/a"), origin.get("/objects/3KiB/a", method="HEAD")
    assert head.body == b""
    drop = {"date"}
    assert {k: v for k, v in head.fields.items() if k not in drop} == {
        k: v for k, v in get.fields.items() if k not in drop
    }


def test_a_large_object_states_its_digest_when_asked(origin: Daemon) -> None:
    assert "repr-digest" not in origin.get("/objects/2MiB/d", method="HEAD").fields
    asked = origin.get("/objects/2MiB/d", "Want-Repr-Digest: sha-256=1", method="HEAD")
    assert asked.fields["repr-digest"] == f"sha-256=:{base64.b64encode(sha256('d', 2**21)).decode()}:"


@pytest.mark.parametrize("path", ["/objects/40000B/r", "/files/big.bin"])
def test_a_range_is_206_with_its_place(origin: Daemon, path: str) -> None:
    whole = origin.get(path).body
    part = origin.get(path, "Range: bytes=30000-39999")
    assert part.status == 206
    assert part.body == whole[30000:40000]
    assert part.fields["content-range"] == f"bytes 30000-39999/{len(whole)}"
    assert origin.get(path, "Range: bytes=-7").body == whole[-7:]


def test_a_range_beyond_the_end_is_416_and_tells_the_size(origin: Daemon) -> None:
    answer = origin.get("/objects/10B/r", "Range: bytes=10-")
    assert (answer.status, answer.fields["content-range"]) == (416, "bytes */10")


@pytest.mark.parametrize("path", ["/objects/40000B/r", "/files/big.bin"])
def test_several_ranges_are_one_multipart_response(origin: Daemon, path: str) -> None:
    """RFC 9110, section 14.6, read by another's parser."""
    whole = origin.get(path).body
    answer = origin.get(path, "Range: bytes=0-9,20000-29999,-5")
    assert (answer.status, answer.whole) == (206, True)
    message = email.message_from_bytes(f"Content-Type: {answer.fields['content-type']}\r\n\r\n".encode() + answer.body)
    parts = message.get_payload()
    assert isinstance(parts, list)
    size = len(whole)
    assert [part["Content-Range"] for part in parts] == [
        f"bytes {place}/{size}" for place in ("0-9", "20000-29999", f"{size - 5}-{size - 1}")]  # fmt: skip
    assert b"\r\n\r\n" + whole[20000:30000] + b"\r\n--" in answer.body


def test_a_known_object_is_304_without_content(origin: Daemon) -> None:
    tag = origin.get("/objects/10B/c").fields["etag"]
    answer = origin.get("/objects/10B/c", f"If-None-Match: {tag}")
    assert (answer.status, answer.body, answer.fields["etag"]) == (304, b"", tag)
    assert origin.get("/objects/10B/c", 'If-Match: "other"').status == 412


def test_a_file_of_the_folder(origin: Daemon) -> None:
    answer = origin.get("/files/hello.txt")
    assert (answer.body, answer.fields["content-type"]) == (b"hello, world\n", "text/plain")
    assert origin.get("/files/inside").status == 200  # a link that stays within


@pytest.mark.parametrize(
    "path",
    ["/files/../origin.jsonl", "/files/%2e%2e/origin.jsonl", "/files/below/../../origin.jsonl", "/files//etc/hostname",
     "/files/escape", "/files/below", "/files/", "/files/none", "/files/hello.txt%00", "/", "/objects/",
     "/objects/1KiB", "/objects/1KiB/"],
)  # fmt: skip
def test_nothing_outside_the_catalogue_is_found(origin: Daemon, path: str) -> None:
    assert origin.get(path).status == 404


@pytest.mark.parametrize("path", ["/objects/64/a", "/objects/-1KiB/a", "/objects/9TiB/a", "/objects/1KiB/a?think=40",
                                  "/objects/1KiB/a?rate=fast", "/objects/1KiB/a?think=2h"])  # fmt: skip
def test_a_quantity_that_cannot_be_is_400(origin: Daemon, path: str) -> None:
    assert origin.get(path).status == 400


def test_another_method_is_405_and_names_the_allowed(origin: Daemon) -> None:
    answer = origin.get("/objects/1KiB/a", method="POST", body=b"x")
    assert (answer.status, answer.fields["allow"]) == (405, "GET, HEAD")


def test_think_time_is_waited_before_the_first_byte(origin: Daemon) -> None:
    with socket.create_connection(("127.0.0.1", origin.port)) as sock:
        before = time.monotonic()
        sock.sendall(b"GET /objects/1KiB/t?think=60ms HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert sock.recv(1)
        assert time.monotonic() - before >= 0.060
        hear(sock)


def test_a_rate_paces_the_body(origin: Daemon) -> None:
    before = time.monotonic()
    answer = origin.get("/objects/100KB/p?rate=4mbit")
    elapsed = time.monotonic() - before
    assert answer.body == content("p", 100_000, 0, 100_000)
    assert 0.18 <= elapsed < 0.4  # 800 kbit at 4 Mbit/s: 200 ms, less the first 5 ms that leave at once


def test_head_and_first_content_leave_in_one_segment(origin: Daemon) -> None:
    with socket.create_connection(("127.0.0.1", origin.port)) as sock:
        sock.sendall(b"GET /objects/2KiB/s HTTP/1.1\r\nHost: a\r\n\r\n")
        first = sock.recv(1 << 20)
    assert len(Answer(first).body) == 2048


def test_responses_on_one_connection_come_in_order(origin: Daemon) -> None:
    one = b"GET /objects/5B/a?think=30ms HTTP/1.1\r\nHost: a\r\n\r\n"
    heard = raw(origin.port, one + b"GET /objects/6B/b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert heard.index(content("a", 5, 0, 5)) < heard.index(content("b", 6, 0, 6))


def test_a_half_closed_client_is_answered(origin: Daemon) -> None:
    heard = raw(origin.port, b"GET /objects/5B/a?think=20ms HTTP/1.1\r\nHost: a\r\n\r\n", half_close=True)
    assert Answer(heard).body == content("a", 5, 0, 5)


def test_http_1_0_closes_unless_asked(origin: Daemon) -> None:
    assert Answer(raw(origin.port, b"GET /objects/5B/a HTTP/1.0\r\n\r\n")).fields["connection"] == "close"


def test_a_slow_client_does_not_fill_the_memory(origin: Daemon) -> None:
    with socket.create_connection(("127.0.0.1", origin.port)) as sock:
        sock.sendall(b"GET /objects/1GiB/slow HTTP/1.1\r\nHost: a\r\n\r\n")
        sock.recv(1000)
        time.sleep(0.3)
        status = Path(f"/proc/{origin.process.pid}/status").read_text(encoding="ascii")
        resident_kib = int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])
    assert resident_kib < 80 * 1024


def test_the_log_has_one_record_for_each_request(start: object, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    daemon = Daemon("origin", "--log", str(log), "--name", "origin1.az1.virginia")
    daemon.get("/objects/1KiB/l")
    daemon.get("/nothing")
    assert daemon.stop()[0] == 0
    records = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert [(r["status"], r["target"]) for r in records] == [(200, "/objects/1KiB/l"), (404, "/nothing")]
    assert records[0]["bytes"] == 1024
    assert records[0]["node"] == "origin1.az1.virginia"
    assert 0 < records[0]["first_byte_ms"] <= records[0]["duration_ms"] < 1000
    assert abs(records[0]["ts_ns"] - time.time_ns()) < 60e9


def test_many_bytes_survive_the_way(origin: Daemon) -> None:
    body = ask(origin.port, "GET", "/objects/33MiB/m").body
    assert hashlib.sha256(body).digest() == sha256("m", 33 * 2**20)
