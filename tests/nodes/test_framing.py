"""Framing as the standard has it, without a socket: the same verdict however the bytes are cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nodes.http.framing import HeadScanner, check
from nodes.http.inbound import Inbound
from nodes.http.limits import Limits
from nodes.http.message import HttpError, reason
from nodes.http.requests import RequestParser
from tests.nodes.framing_cases import CASES, HOST, head, post
from tests.nodes.hearing import LIMITS, SMALL, hear

ALL = [(section, said, status) for section, cases in CASES.items() for said, status in cases]


def status_of(said: bytes) -> int:
    heard = hear([said])
    return heard[-1] if heard and isinstance(heard[-1], int) else 200 if heard else 0


@pytest.mark.parametrize(("section", "said", "status"), ALL, ids=[f"{s[:16]}-{i}" for i, (s, _, _) in enumerate(ALL)])
def test_a_head_means_what_the_section_says(section: str, said: bytes, status: int) -> None:
    assert status_of(said) == status, section


@pytest.mark.parametrize(("section", "said", "status"), ALL, ids=[f"{s[:16]}-{i}" for i, (s, _, _) in enumerate(ALL)])
def test_byte_by_byte_it_means_the_same(section: str, said: bytes, status: int) -> None:
    said += head()
    whole = hear([said])
    assert hear([said[i : i + 1] for i in range(len(said))] if len(said) < 4000 else [said[:3999], said[3999:]]) == whole


@pytest.mark.parametrize(("status", "phrase"), [
    (200, "OK"), (413, "Content Too Large"), (414, "URI Too Long"), (416, "Range Not Satisfiable"),
    (422, "Unprocessable Content"), (799, ""),
])  # fmt: skip
def test_reason_phrases_are_those_of_rfc_9110_section_15(status: int, phrase: str) -> None:
    assert reason(status) == phrase


_PARTS = st.sampled_from(
    [b"GET / HTTP/1.1\r\n", b"POST /a HTTP/1.1\r\n", b"GET / HTTP/1.0\r\n", HOST, HOST, b"\r\n", b"\r\n", b"\r\n\r\n", b"\n",
     b"\r", b" ", b"\t", b"\x00", b":", b"A: b\r\n", b"A : b\r\n", b"Content-Length: 3\r\n", b"Content-Length: 4\r\n",
     b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip\r\n", b"abc", b"3\r\nabc\r\n", b"0\r\n", b"0\r\n\r\n",
     b"3;a=b\r\n", b"Connection: close\r\n", b"Upgrade: h2c\r\nConnection: upgrade\r\n", b"\xff", head(),
     post(b"Content-Length: 3") + b"abc",
     post(b"Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\nT: x\r\n\r\n"]
)  # fmt: skip
_STREAMS = st.lists(st.one_of(_PARTS, st.binary(max_size=8)), max_size=24).map(b"".join)


@settings(max_examples=1500)
@given(said=_STREAMS, cuts=st.lists(st.integers(0, 400), max_size=12), small=st.booleans())
@example(said=b"GET / HTTP/1.1\r\n\r", cuts=[], small=False)
@example(said=post(b"Transfer-Encoding: chunked") + b"B\r\nabcdefghijkl\r\n", cuts=[70], small=True)
def test_the_result_does_not_depend_on_where_the_bytes_are_cut(said: bytes, cuts: list[int], small: bool) -> None:
    limits = SMALL if small else LIMITS
    places = sorted({0, *(cut for cut in cuts if cut < len(said)), len(said)})
    pieces = [said[a:b] for a, b in pairwise(places)]
    assert hear(pieces, limits) == hear([said], limits)


@settings(max_examples=1500)
@given(said=_STREAMS)
def test_the_quick_check_and_the_scanner_agree(said: bytes) -> None:
    said += b"\r\n\r\n"
    raw = said[: said.find(b"\r\n\r\n") + 4]
    for limits in (LIMITS, SMALL):
        try:
            HeadScanner(limits).scan(raw)
            scanned = 200
        except HttpError as error:
            scanned = error.status
        try:
            check(raw, limits)
            checked = 200
        except HttpError as error:
            checked = error.status
        assert checked == scanned


@settings(max_examples=500)
@given(said=st.binary(max_size=200))
def test_no_bytes_break_the_parser(said: bytes) -> None:
    hear([said, head()])


def test_what_stands_behind_a_request_is_not_read_before_its_turn() -> None:
    inbound = Inbound(LIMITS)
    inbound.feed(head() + b"\x00 broken \n")
    assert inbound.head() == head()
    with pytest.raises(HttpError):
        inbound.head()


def test_content_larger_than_allowed_is_413_as_soon_as_that_is_known() -> None:
    limits = Limits(body_bytes=5)
    assert hear([post(b"Content-Length: 6")], limits)[-1] == 413
    assert hear([post(b"Transfer-Encoding: chunked") + b"6\r\nabcdef\r\n"], limits)[-1] == 413
    assert hear([post(b"Content-Length: 5") + b"abcde"], limits)[-1][3] == b"abcde"


@pytest.mark.parametrize(
    ("first", "host", "uri"),
    [
        ("GET / HTTP/1.1", "Example.COM", "http://example.com/"),
        ("GET /a?b HTTP/1.1", "a:80", "http://a/a?b"),
        ("GET /a? HTTP/1.1", "a:8080", "http://a:8080/a?"),
        ("GET /%7Ea%2fb%41 HTTP/1.1", "a", "http://a/~a%2FbA"),
        ("GET HTTP://B:80 HTTP/1.1", "a", "http://b/"),
        ("GET http://b?q HTTP/1.1", "a", "http://b/?q"),
        ("OPTIONS * HTTP/1.1", "a", "http://a"),
        ("GET /a/../b HTTP/1.1", "a", "http://a/a/../b"),
        ("GET / HTTP/1.1", "[::1]:80", "http://[::1]/"),
    ],
)
def test_the_effective_uri_is_normal(first: str, host: str, uri: str) -> None:
    raw = f"{first}\r\nHost: {host}\r\n\r\n".encode()
    request, _ = RequestParser(LIMITS, "here:80").parse(raw, "http")
    assert request.uri == uri
    assert request.raw == raw


def test_a_client_that_names_no_host_means_where_it_has_connected_to() -> None:
    request, _ = RequestParser(LIMITS, "here:8080").parse(b"GET /a HTTP/1.0\r\n\r\n", "http")
    assert (request.uri, request.persistent) == ("http://here:8080/a", False)


@pytest.mark.parametrize(
    ("version", "connection", "persistent"),
    [("1.1", None, True), ("1.1", "close", False), ("1.1", "Keep-Alive, CLOSE", False), ("1.1", "x", True),
     ("1.0", None, False), ("1.0", "Keep-Alive", True), ("1.0", "close, keep-alive", False)],
)  # fmt: skip
def test_a_connection_is_kept_as_section_9_3_says(version: str, connection: str | None, persistent: bool) -> None:
    line = f"Connection: {connection}\r\n" if connection else ""
    request, _ = RequestParser(LIMITS, "x").parse(f"GET / HTTP/{version}\r\nHost: a\r\n{line}\r\n".encode(), "http")
    assert request.persistent is persistent


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (post(b"Content-Length: 5", b"Transfer-Encoding: chunked"), "both Content-Length and Transfer-Encoding"),
        (post(b"Content-Length: 5", b"Content-Length: 5"), "Content-Length stands more than once"),
        (b"GET / HTTP/1.1\nHost: a\r\n\r\n", "a line ends without CR LF"),
        (head(b"A: b", b" c"), "a header field is folded over two lines"),
        (head(b"A : b"), "a space stands before the colon of a header field"),
        (head(b"A: b\x00"), "a line holds a control character"),
    ],
)
def test_a_refusal_names_what_is_wrong(said: bytes, words: str) -> None:
    with pytest.raises(HttpError, match=words):
        RequestParser(LIMITS, "x").parse(said, "http")
