"""Dialogues with the server, by section: what the client says, what it must hear in order, and how the connection stands.

A heard text must be found behind the one before it. `kept` means that the server waits for more; a dialogue that is not
kept ends with the server's close. What stands in `never` is never heard.
"""

from __future__ import annotations

from typing import NamedTuple

HOST = b"Host: a\r\n"


class Dialogue(NamedTuple):
    says: bytes
    hears: list[bytes]
    kept: bool
    never: bytes = b"\x00"
    half_closed: bool = False


def get(path: str, *lines: str, version: str = "1.1", method: str = "GET") -> bytes:
    """A request without content."""
    return "".join(f"{line}\r\n" for line in (f"{method} {path} HTTP/{version}", "Host: a", *lines, "")).encode()


def announced(path: str, *lines: str) -> bytes:
    """The head of a request with content, without it."""
    return get(path, "Content-Length: 3", *lines, method="POST")


def post(path: str, body: bytes, *lines: str) -> bytes:
    """A request with content."""
    return get(path, f"Content-Length: {len(body)}", *lines, method="POST") + body


def chunked(path: str, body: bytes) -> bytes:
    """A request with content in chunks, as they are given."""
    return get(path, "Transfer-Encoding: chunked", method="POST") + body


DIALOGUES: dict[str, list[Dialogue]] = {
    "RFC 9112, 4: status lines, and the origin's own reason": [
        Dialogue(get("/status/200"), [b"HTTP/1.1 200 OK\r\n"], True),
        Dialogue(get("/status/299"), [b"HTTP/1.1 299 \r\n"], True),
        Dialogue(get("/status/999?odd"), [b"HTTP/1.1 999 odd\r\n", b"Content-Length: 0\r\n"], True),
        Dialogue(get("/status/204"), [b"HTTP/1.1 204 No Content\r\n", b"\r\n\r\n"], True, b"Content-Length"),
        Dialogue(get("/status/304"), [b"HTTP/1.1 304 Not Modified\r\n", b"\r\n\r\n"], True, b"Content-Length"),
        Dialogue(get("/status/200"), [b"X-One: 1\r\nx-unknown: a\r\nX-ONE: 2\r\n"], True),
    ],
    "RFC 9110, 9.3.2: HEAD has no content": [
        Dialogue(get("/chunks", method="HEAD") + get("/status/201"), [b"HTTP/1.1 200", b"\r\n\r\nHTTP/1.1 201"], True, b"one"),
        Dialogue(get("/file", method="HEAD") + get("/status/201"), [b"Content-Length: 8388608", b"\r\n\r\nHTTP/1.1 201"], True),
        Dialogue(get("/prepared?9", method="HEAD") + get("/status/201"), [b"Content-Length: 9", b"\r\n\r\nHTTP/1.1 201"], True),
    ],
    "RFC 9110, 15.2: interim responses": [
        Dialogue(get("/interim"), [b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200", b"late"], True),
        Dialogue(get("/interim", version="1.0"), [b"HTTP/1.1 200", b"late"], False, b" 103 "),
    ],
    "RFC 9110, 10.1.1: Expect: 100-continue": [
        Dialogue(announced("/echo", "Expect: 100-Continue"), [b"HTTP/1.1 100 Continue\r\n\r\n"], True),
        Dialogue(post("/echo", b"abc", "Expect: 100-continue"), [b"HTTP/1.1 200", b"abc"], True),
        Dialogue(announced("/status/201", "Expect: 100-continue"), [b"201", b"close"], False, b"100 C"),
    ],
    "RFC 9112, 6: content of requests": [
        Dialogue(post("/echo", b"abc"), [b"\r\n\r\nabc"], True),
        Dialogue(post("/echo", b""), [b"HTTP/1.1 200", b"Content-Length: 0"], True),
        Dialogue(chunked("/echo", b"1;x=y\r\na\r\n2\r\nbc\r\n0\r\nT: u\r\n\r\n"), [b"Content-Length: 3", b"\r\n\r\nabc"], True),
        Dialogue(post("/status/200", b"x" * 1000) + get("/status/201"), [b" 200 ", b" 201 "], True),
        Dialogue(get("/echo", "Content-Length: 9", method="POST") + b"abc", [], False, b"200", half_closed=True),
        Dialogue(chunked("/echo", b"zz\r\n"), [b"HTTP/1.1 400", b"Connection: close"], False),
        Dialogue(chunked("/echo", b"1\r\naX") + get("/status/201"), [b"HTTP/1.1 400"], False, b" 201 "),
    ],
    "RFC 9112, 7.1: chunks out, and close where the client knows none": [
        Dialogue(get("/chunks"), [b"chunked", b"\r\n\r\n3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\nX-Sum: 3\r\n\r\n"], True),
        Dialogue(get("/chunks", version="1.0"), [b"Connection: close", b"\r\n\r\nonetwothree"], False, b"chunked"),
        Dialogue(get("/chunks", "Connection: keep-alive", version="1.0"), [b"close", b"onetwothree"], False),
    ],
    "RFC 9112, 9.3: persistence": [
        Dialogue(get("/status/200", "Connection: close") + get("/status/201"), [b"Connection: close"], False, b" 201 "),
        Dialogue(get("/status/200", version="1.0"), [b"Connection: close"], False),
        Dialogue(get("/status/200", "Connection: keep-alive", version="1.0"), [b"Connection: keep-alive"], True),
        Dialogue(get("/now", "Connection: close"), [b"Connection: close", b"yyyyy"], False),
        Dialogue(get("/prepared", version="1.0"), [b"Connection: close", b"yyyyy"], False),
        Dialogue(get("/prepared", "Connection: keep-alive", version="1.0") * 2, [b"keep-alive", b"keep-alive"], True),
    ],
    "RFC 9112, 9.3.2: pipelining": [
        Dialogue(
            get("/slow?30") + get("/status/201") + get("/prepared") + get("/now"),
            [b"slow", b" 201 ", b"/prepared", b"/now"], True,
        ),
        Dialogue(get("/prepared") * 3 + get("/status/201"), [b"yyyyy", b"yyyyy", b"yyyyy", b" 201 "], True),
        Dialogue(
            get("/file") + get("/file-now?8388608") + get("/status/201"),
            [b"\xfe\xff", b"/file-now", b"\xfe\xff", b" 201 "], True,
        ),
        Dialogue(get("/status/200") + b"BAD\r\n\r\n" + get("/status/201"), [b" 200 ", b" 400 ", b"close"], False, b" 201 "),
        Dialogue(post("/echo", b"a") + post("/echo", b"b"), [b"\r\n\r\na", b"\r\n\r\nb"], True),
    ],
    "RFC 9112, 9.6: half-closed clients, and the end of a connection": [
        Dialogue(get("/slow?30"), [b"slow"], False, half_closed=True),
        Dialogue(get("/slow?10") + get("/status/201"), [b"slow", b" 201 "], False, half_closed=True),
        Dialogue(get("/prepared"), [b"yyyyy"], False, half_closed=True),
        Dialogue(get("/file"), [b"\xfe\xff"], False, half_closed=True),
        Dialogue(b"GET / HT", [], False, b"HTTP/1.1", half_closed=True),
        Dialogue(b"", [], False, half_closed=True),
        Dialogue(get("/short"), [b"Content-Length: 10", b"12345"], False),
    ],
    "RFC 9110, 7.8: an Upgrade is ignored": [
        Dialogue(get("/status/200", "Connection: upgrade", "Upgrade: h2c") + get("/status/201"), [b" 200 ", b" 201 "], True),
        Dialogue(post("/echo", b"abc", "Connection: upgrade", "Upgrade: x") + get("/status/201"), [b"abc", b" 201 "], True),
    ],
    "RFC 9112, 3.2.2: absolute-form wins over Host": [
        Dialogue(get("http://B.example:80/echo"), [b"X-URI: http://b.example/echo\r\n"], True),
        Dialogue(get("/echo"), [b"X-URI: http://a/echo\r\nX-Version: 1.1"], True),
        Dialogue(get("/echo", version="1.7"), [b"X-Version: 1.1"], True),
    ],
}
