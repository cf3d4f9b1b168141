"""Every response of responses.toml, whole and cut at every place; limits; and another parser as a witness."""

import re
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import httptools
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nodes.http.chunked import LARGEST_TRAILERS_BYTES, LONGEST_LINE_BYTES, MOST_EXTENSION_BYTES
from nodes.http.field_block import Malformed
from nodes.http.message import Fields
from nodes.http.response import LARGEST_HEAD_BYTES, MOST_FIELDS
from nodes.http.response_reader import MOST_INTERIM, ResponseReader
from nodes.http.trailers import passable

CASES: list[dict[str, Any]] = tomllib.loads((Path(__file__).parent / "responses.toml").read_text("utf-8"))["response"]
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def read(pieces: list[bytes], method: str = "GET", *, ends: bool = False) -> dict[str, Any] | str:
    """What became of it, as data; or the words of the refusal."""
    reader, content = ResponseReader(method), b""
    try:
        for piece in pieces:
            content += b"".join(reader.feed(piece))
    except Malformed as error:
        return str(error)
    whole = reader.complete
    if ends:
        reader.end(orderly=True)
        whole = reader.complete
    seen: dict[str, Any] = {"whole": whole, "content": content, "keep": reader.keep,
                            "interim": [[status, fields.items] for status, fields in reader.interim]}  # fmt: skip
    if reader.response is not None:
        seen |= {"status": reader.response.status, "reason": reader.response.reason,
                 "fields": reader.response.fields.items, "trailers": reader.response.trailers.items}  # fmt: skip
    return seen


def said(case: dict[str, Any]) -> bytes:
    text: str = case["says"]
    return text.encode("latin-1")


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@pytest.mark.parametrize("case", CASES, ids=[case["rfc"] for case in CASES])
def test_a_response_is_what_the_standard_says(case: dict[str, Any]) -> None:
    seen = read([said(case)], case.get("method", "GET"), ends=case.get("ends", False))
    if "refused" in case:
        assert isinstance(seen, str)
        assert case["refused"] in seen
        return
    assert isinstance(seen, dict)
    whole = case.get("whole", True)
    assert seen["whole"] == whole
    assert seen["keep"] == (case.get("keep", True) and whole)
    assert seen["content"] == case.get("content", "").encode("latin-1")
    assert seen.get("status") == case.get("status")
    assert seen["interim"] == [[status, [tuple(one) for one in fields]] for status, fields in case.get("interim", [])]
    assert seen.get("trailers", []) == [tuple(one) for one in case.get("trailers", [])]
    for name in {"reason"} & set(case):
        assert seen[name] == case[name]
    if "fields" in case:
        assert seen["fields"] == [tuple(one) for one in case["fields"]]


@pytest.mark.parametrize("case", CASES, ids=[case["rfc"] for case in CASES])
def test_where_the_network_cuts_it_makes_no_difference(case: dict[str, Any]) -> None:
    data, method, ends = said(case), case.get("method", "GET"), case.get("ends", False)
    whole = read([data], method, ends=ends)
    ways = [cut(data, [place]) for place in range(1, len(data))] + [[data[i : i + 1] for i in range(len(data))]]
    for pieces in ways:
        seen = read(pieces, method, ends=ends)
        assert isinstance(seen, str) if isinstance(whole, str) else seen == whole


@given(st.sampled_from(CASES), st.lists(st.integers(0, 300), max_size=8))
def test_nor_do_many_cuts(case: dict[str, Any], places: list[int]) -> None:
    data, method, ends = said(case), case.get("method", "GET"), case.get("ends", False)
    whole, seen = read([data], method, ends=ends), read(cut(data, [p for p in places if p <= len(data)]), method, ends=ends)
    assert isinstance(seen, str) if isinstance(whole, str) else seen == whole


@pytest.mark.parametrize("case", [one for one in CASES if "refused" not in one and one.get("whole", True)],
                         ids=lambda case: case["rfc"])  # fmt: skip
def test_no_beginning_of_a_response_is_whole(case: dict[str, Any]) -> None:
    data = said(case)
    if case.get("keep", True) is False and not case.get("ends"):
        return  # its end is not the end of the data
    for end in range(len(data)):
        seen = read([data[:end]], case.get("method", "GET"))
        assert isinstance(seen, dict)
        assert not seen["whole"]


@given(st.binary(max_size=3000), st.lists(st.integers(1, 700), max_size=40), st.data())
def test_content_survives_any_chunks_and_cuts(content: bytes, sizes: list[int], data: st.DataObject) -> None:
    coded, at = b"", 0
    for size in sizes:
        piece = content[at : at + size]
        if piece:
            coded += b"%x;x=1\r\n%b\r\n" % (len(piece), piece)
        at += size
    if content[at:]:
        coded += b"%X\r\n%b\r\n" % (len(content[at:]), content[at:])
    message = CHUNKED + coded + b"0\r\nA: b\r\n\r\n"
    places = data.draw(st.lists(st.integers(0, len(message)), max_size=20))
    seen = read(cut(message, places))
    assert isinstance(seen, dict)
    assert (seen["whole"], seen["keep"], seen["content"], seen["trailers"]) == (True, True, content, [("A", "b")])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (OK + b"A: " + b"b" * LARGEST_HEAD_BYTES, "a head of more than"),
        (OK + b"A: " + b"b" * LARGEST_HEAD_BYTES + b"\r\n\r\n", "a head of more than"),
        (OK + b"A: b\r\n" * (MOST_FIELDS + 1) + b"\r\n", f"more than {MOST_FIELDS} field lines"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * (MOST_INTERIM + 1), "interim responses"),
        (CHUNKED + b"1;" + b"a" * LONGEST_LINE_BYTES, "too long"),
        (CHUNKED + (b"1;" + b"a" * 100 + b"\r\nx\r\n") * (MOST_EXTENSION_BYTES // 100), "extensions out of range"),
        (CHUNKED + b"0\r\n" + b"A: bcd\r\n" * (LARGEST_TRAILERS_BYTES // 8 + 1), "trailers"),
        (CHUNKED + b"0\r\nA: " + b"b" * (LARGEST_TRAILERS_BYTES + 1), "too long"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_nothing_grows_without_limit(data: bytes, words: str) -> None:
    for size in (len(data), 1000):
        seen = read([data[at : at + size] for at in range(0, len(data), size)])
        assert isinstance(seen, str)
        assert words in seen


def test_trailers_that_could_deceive_a_client_are_not_passed_on() -> None:
    """RFC 9110, section 6.5.1."""
    given = [("Server-Timing", "total;dur=3"), ("Content-Length", "9"), ("SET-COOKIE", "a=b"), ("X-Sum", "1"),
             ("Transfer-Encoding", "chunked"), ("Cache-Control", "max-age=9"), ("Repr-Digest", "sha-256=:AA==:")]  # fmt: skip
    assert [name for name, _ in passable(Fields(given)).items] == ["Server-Timing", "X-Sum", "Repr-Digest"]


def test_content_is_not_copied() -> None:
    reader, piece = ResponseReader("GET"), bytes(100_000)
    reader.feed(OK + b"Content-Length: 300000\r\n\r\n")
    assert reader.feed(piece)[0] is piece
    chunked = ResponseReader("GET")
    chunked.feed(CHUNKED + b"186a0\r\n")
    assert chunked.feed(piece)[0] is piece


@given(st.sampled_from([b"", b"HTTP/1.1 ", OK, CHUNKED, OK + b"Content-Length: 3\r\n"]),
       st.lists(st.binary(max_size=200), max_size=6), st.booleans())  # fmt: skip
def test_no_bytes_do_more_than_be_refused(beginning: bytes, pieces: list[bytes], ends: bool) -> None:
    seen = read([beginning, *pieces] if beginning else pieces, ends=ends)
    assert isinstance(seen, str | dict)


class Witness:
    """The same message as httptools reads it."""

    def __init__(self, data: bytes) -> None:
        self.content, self.complete, self.broken = b"", False, False
        try:
            httptools.HttpResponseParser(self).feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.broken = True

    def on_body(self, data: bytes) -> None:
        if not self.complete:
            self.content += data

    def on_message_complete(self) -> None:
        self.complete = True


SOUND = [said(case) for case in CASES
         if "refused" not in case and "interim" not in case and case.get("method", "GET") == "GET"]  # fmt: skip
SPACE_BEFORE_COLON = re.compile(rb"\r\n[^\r\n: \t]+[ \t]+:")
TAB_AT_CODING = re.compile(rb"\r\nTransfer-Encoding:[^\r\n]*\t", re.IGNORECASE)
"""llhttp takes a tab there for a part of the name; by RFC 9110, section 5.6.3, it is white space like any other."""


def test_a_tab_behind_a_coding_is_white_space() -> None:
    seen = read([OK + b"Transfer-Encoding: chunked\t\r\n\r\n1\r\nx\r\n0\r\n\r\n"])
    assert isinstance(seen, dict)
    assert (seen["whole"], seen["content"]) == (True, b"x")


@settings(max_examples=1500)
@given(st.sampled_from(SOUND), st.lists(st.tuples(st.integers(0, 400), st.sampled_from(
    [b"", b" ", b"\t", b"\r", b"\n", b"\r\n", b"0", b"5", b":", b";", b"\0", b",", b"x", b"chunked"]), st.booleans()),
    max_size=3))  # fmt: skip
@example(SOUND[0], [])
def test_another_parser_understands_the_same_or_we_refuse(data: bytes, edits: list[tuple[int, bytes, bool]]) -> None:
    """Two readers of one response must not see two: what is whole here has the same content for llhttp."""
    for place, text, replaces in edits:
        data = data[:place] + text + data[place + (1 if replaces else 0) :]
    seen = read([data])
    laxer = SPACE_BEFORE_COLON.search(data) or TAB_AT_CODING.search(data)
    if isinstance(seen, str) or not seen["whole"] or laxer or seen["interim"]:
        return
    other = Witness(data)
    if seen["status"] in (204, 304):
        assert seen["content"] == b""
        return
    assert seen["content"] == other.content or other.broken


def test_a_head_that_is_remembered_is_a_value_of_its_own_each_time():
    from nodes.http.response import parse_head

    head = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-A: 1\r\n"
    first, second = parse_head(head, "GET"), parse_head(head, "GET")
    first.fields.put("X-A", "2")
    first.trailers.add("X-B", "1")
    assert second.fields.get("x-a") == parse_head(head, "GET").fields.get("x-a") == "1"
    assert not second.trailers.items
    assert parse_head(head, "HEAD").framing is not second.framing
