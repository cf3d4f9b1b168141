"""Requests, responses and TLS handshakes found in captures, each tied to its frames."""

from __future__ import annotations

import random
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from results.captures import requests, tls
from results.captures import survey as surveys
from results.captures.survey import Survey
from tests.results.test_tcp_analysis import Talk

HEAD = b"HTTP/1.1 200 OK\r\nCache-Status: edge; hit\r\nContent-Length: 4000\r\n\r\n"


def said(talk: Talk, at_ms: float, up: bool, seq: int, ack: int, text: bytes, port: int = 40_000) -> Talk:
    """A segment whose payload is `text`."""
    talk.say(at_ms, up, "PA", seq, ack, len(text), port=port)
    at, frame = talk.frames.pop()
    talk.frames.append((at, frame[: len(frame) - len(text)] + text))
    return talk


def surveyed(talk: Talk, tmp_path: Path) -> Survey:
    return surveys.survey(talk.save(tmp_path / "a.pcapng"))


def opened() -> Talk:
    return Talk().say(0, True, "S", 0).say(40, False, "SA", 0, 1).say(40.1, True, "A", 1, 1)


def test_a_request_has_its_times_its_outcome_and_its_frames(tmp_path: Path) -> None:
    ask = b"GET /film.mp4 HTTP/1.1\r\nHost: edge.mumbai\r\n\r\n"
    body = HEAD.ljust(1000, b"x")
    talk = said(said(opened(), 41, True, 1, 1, ask), 90, False, 1, 1 + len(ask), body)
    talk.say(91, False, "PA", 1001, 1, 1000).say(92, False, "PA", 3001, 1, 1000).say(150, False, "PA", 2001, 1, 1000)
    said(talk, 500, True, 1 + len(ask), 4001, b"GET /next HTTP/1.1\r\n\r\n")
    found = surveyed(talk, tmp_path).requests
    columns = ("stream", "method", "target", "host", "status", "cache", "request_frame", "response_frame", "last_frame")
    assert [found[name][0] for name in columns] == [0, "GET", "/film.mp4", "edge.mumbai", 200, "edge; hit", 4, 5, 8]
    times = [found[name][0] for name in ("connect_ms", "wait_ms", "transfer_ms", "stalled_ms")]
    assert times == pytest.approx([40, 49, 60, 58])
    assert (found["response_bytes"][0], found["status"][1], found["target"][1]) == (4000, 0, "/next")
    assert found["connect_frame"].tolist() == [1, 0]


def test_what_a_request_takes_to_send_is_no_waiting_and_rounds_are_counted(tmp_path: Path) -> None:
    talk = said(opened(), 41, True, 1, 1, b"PUT /film HTTP/1.1\r\n\r\n".ljust(1000))
    talk.say(42, True, "PA", 1001, 1, 1000).say(80, False, "A", 1, 1001).say(81, True, "PA", 2001, 1, 1000)
    said(talk, 130, False, 1, 3001, HEAD.ljust(1000, b"x")).say(131, False, "PA", 1001, 3001, 1000)
    talk.say(131.5, True, "A", 3001, 2001).say(170, False, "PA", 2001, 3001, 500)
    found = surveyed(talk, tmp_path).requests
    columns = ("request_frame", "sent_frame", "response_frame", "last_frame", "rounds")
    assert [int(found[name][0]) for name in columns] == [4, 7, 8, 11, 2]
    assert [float(found[name][0]) for name in ("sent_ms", "wait_ms", "transfer_ms")] == pytest.approx([40, 49, 40])


def test_an_interim_response_is_no_answer(tmp_path: Path) -> None:
    ask = b"PUT /film HTTP/1.1\r\nExpect: 100-continue\r\n\r\n"
    interim, size = b"HTTP/1.1 100 Continue\r\n\r\n", 1 + len(ask)
    talk = said(said(opened(), 41, True, 1, 1, ask), 81, False, 1, size, interim)
    talk.say(82, True, "PA", size, 1 + len(interim), 1000)
    said(talk, 130, False, 1 + len(interim), size + 1000, HEAD)
    found = surveyed(talk, tmp_path).requests
    assert [int(found[name][0]) for name in ("status", "request_frame", "sent_frame", "response_frame")] == [200, 4, 6, 7]
    assert [float(found[name][0]) for name in ("sent_ms", "wait_ms")] == pytest.approx([41, 48])


def test_encrypted_exchanges_beyond_a_number_are_left_out_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "MOST_ENCRYPTED", 1)
    records, _ = _handshake(ssl.TLSVersion.TLSv1_3)
    talk, at, seqs = opened(), 50, {True: 1, False: 1}
    data = (True, b"\x17\x03\x03\x00\x5f".ljust(100)), (False, b"\x17\x03\x03\x03\xe3".ljust(1000))
    for up, text in [*records, *data, *data]:
        said(talk, at, up, seqs[up], seqs[not up], text)
        at, seqs[up] = at + 20, seqs[up] + len(text)
    found = surveyed(talk, tmp_path)
    assert len(found.requests["stream"]) == 1
    assert found.notes() == ["2 encrypted exchanges beyond 1 were left out"]


def _handshake(version: ssl.TLSVersion, session: Any = None) -> tuple[list[tuple[bool, bytes]], Any]:
    """What both ends of a real handshake say, in order; and the ticket for the next."""
    ca = _CA
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _CERT.configure_cert(server)
    ca.configure_trust(client)
    server.maximum_version = server.minimum_version = client.maximum_version = client.minimum_version = version
    return _exchange(_SERVERS.setdefault(version, server), _CLIENTS.setdefault(version, client), session)


def _exchange(server: ssl.SSLContext, client: ssl.SSLContext, session: Any) -> tuple[list[tuple[bool, bytes]], Any]:
    into = [ssl.MemoryBIO() for _ in range(4)]
    ends = [client.wrap_bio(into[0], into[1], server_hostname="edge.mumbai", session=session),
            server.wrap_bio(into[2], into[3], server_side=True)]  # fmt: skip
    records: list[tuple[bool, bytes]] = []
    done = [False, False]
    for _ in range(8):
        for number, end in enumerate(ends):
            try:
                if not done[number]:
                    end.do_handshake()
                    done[number] = True
                    end.write(b"data")
                elif done[0] and done[1]:
                    end.read(10)
            except ssl.SSLWantReadError:
                pass
            if data := into[2 * number + 1].read():
                records.append((number == 0, data))
                into[2 if number == 0 else 0].write(data)
    return records, ends[0].session


_CA = trustme.CA()
_CERT = _CA.issue_cert("edge.mumbai")
_SERVERS: dict[Any, ssl.SSLContext] = {}
_CLIENTS: dict[Any, ssl.SSLContext] = {}


@pytest.mark.parametrize(("version", "name"), [(ssl.TLSVersion.TLSv1_3, "TLS 1.3"), (ssl.TLSVersion.TLSv1_2, "TLS 1.2")])
def test_a_handshake_names_its_version_and_whether_it_was_resumed(tmp_path: Path, version: ssl.TLSVersion, name: str) -> None:
    session = None
    for resumed in (0, 1):
        records, session = _handshake(version, session)
        talk, at, seqs = opened(), 50, {True: 1, False: 1}
        told = []
        for up, data in [*records, (True, b"\x17\x03\x03\x00\x5f".ljust(100)), (False, b"\x17\x03\x03\x08\x00".ljust(2000))]:
            for piece in [data[i : i + 1400] for i in range(0, len(data), 1400)]:
                said(talk, at, up, seqs[up], seqs[not up], piece)
                told += [(len(talk.frames), len(piece))] * (not up)
                seqs[up] += len(piece)
            at += 20
        found = surveyed(talk, tmp_path).handshakes
        assert [found[one][0] for one in ("server_name", "version", "resumed")] == ["edge.mumbai", name, resumed]
        assert found["server_hello_ms"][0] == pytest.approx(20)
        assert found["client_hello_frame"][0] == 4
        assert 20 <= found["handshake_ms"][0] <= 100
        whole = surveyed(talk, tmp_path).requests
        assert [whole[one][0] for one in ("encrypted", "method", "host")] == [1, "", "edge.mumbai"]
        assert [whole[one][0] for one in ("tls_frame", "tls_ms", "connect_ms", "request_frame")] == [
            4, found["handshake_ms"][0], 40, found["done_frame"][0]]  # fmt: skip
        assert whole["response_bytes"].sum() == sum(size for frame, size in told if frame > found["done_frame"][0]) > 0


def test_hellos_that_are_cut_or_damaged_raise_nothing() -> None:
    records, _ = _handshake(ssl.TLSVersion.TLSv1_3)
    dice = random.Random(1)
    for _, data in records:
        for size in range(0, len(data), 7):
            tls.hello(data[:size])
        for _ in range(300):
            broken = bytearray(data)
            broken[dice.randrange(len(broken))] = dice.randrange(256)
            tls.hello(bytes(broken))
    first = tls.hello(records[0][1])
    assert first is not None
    assert (first.client, first.version, first.whole) == (True, 0x0304, True)
