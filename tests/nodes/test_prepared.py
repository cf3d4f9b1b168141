"""The memo of prepared answers: bounded, forgetful of what is dropped and of what is not used."""

from __future__ import annotations

from nodes.http.limits import Limits
from nodes.http.message import Request
from nodes.http.prepared import Prepared, PreparedAnswers
from nodes.http.requests import RequestParser


def request(path: str, scheme: str = "http", *lines: str) -> Request:
    raw = "".join(f"{line}\r\n" for line in (f"GET {path} HTTP/1.1", "Host: a", *lines, "")).encode()
    return RequestParser(Limits(), "a").parse(raw, scheme)[0]


def answer(asked: Request, block: bytes = b"x") -> Prepared:
    return Prepared(asked, 200, "TCP_HIT", block, len(block), until_s=10.0, persistent=asked.persistent)


def test_all_answers_of_one_object_go_together() -> None:
    memo = PreparedAnswers()
    for asked, tag in ((request("/a"), "A"), (request("/a", "http", "X: y"), "A"), (request("/b"), "B")):
        assert memo.put(asked, answer(asked), tag)
    memo.drop("A")
    assert list(memo.by_head) == [request("/b").raw]
    memo.drop("A")
    memo.clear()
    assert len(memo) == 0


def test_what_is_full_forgets_first_what_was_not_used_lately() -> None:
    memo = PreparedAnswers(most=3)
    asked = [request(f"/{number}") for number in range(5)]
    for one in asked[:3]:
        memo.put(one, answer(one), one.path)
    memo.by_head[asked[0].raw].used = True
    for one in asked[3:]:
        memo.put(one, answer(one), one.path)
    assert set(memo.by_head) == {asked[0].raw, asked[3].raw, asked[4].raw}


def test_the_bytes_are_bounded_too() -> None:
    memo = PreparedAnswers(most_bytes=10_000)
    for number in range(100):
        one = request(f"/{number}")
        memo.put(one, answer(one, b"x" * 2000), number)
    assert 1 <= len(memo) <= 4
    one = request("/large")
    assert not memo.put(one, answer(one, b"x" * 20_000), "large")


def test_only_requests_without_content_that_keep_the_connection_are_remembered() -> None:
    memo = PreparedAnswers()
    for lines in (["Connection: close"], ["Content-Length: 5"], ["Transfer-Encoding: chunked"]):
        one = request("/a", "http", *lines)
        assert not memo.put(one, answer(one), "A")


def test_with_tls_a_head_asks_for_another_resource() -> None:
    memo = PreparedAnswers()
    plain, secured = request("/a"), request("/a", "https")
    memo.put(plain, answer(plain, b"plain"), "P")
    memo.put(secured, answer(secured, b"secured"), "S")
    assert len(memo) == 2
    assert memo.by_head[plain.raw].block == b"plain"


def test_a_later_answer_to_one_head_takes_the_place_of_the_earlier_and_of_its_tag() -> None:
    memo = PreparedAnswers()
    one = request("/a")
    memo.put(one, answer(one, b"old"), "old")
    memo.put(one, answer(one, b"new"), "new")
    memo.drop("old")
    assert memo.by_head[one.raw].block == b"new"


def test_a_long_head_is_not_prepared_for() -> None:
    memo = PreparedAnswers()
    for length, taken in ((3000, True), (5000, False)):
        one = request("/a", "http", "X: " + "y" * length)
        assert memo.put(one, answer(one), "A") is taken


def test_the_bound_counts_every_copy_of_a_head_and_of_a_block() -> None:
    memo = PreparedAnswers(most_bytes=100_000)
    for number in range(100):
        one = request(f"/{number}", "http", "X: " + "y" * 3000)
        memo.put(one, answer(one, b"x" * 1000), number)
    assert len(memo) == 100_000 // (3 * len(one.raw) + 2 * 1000 + 512)
