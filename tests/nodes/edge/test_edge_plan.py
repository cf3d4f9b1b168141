"""Plans: what is done with a GET or HEAD, given what is stored and the time."""

from dataclasses import replace

import pytest

from nodes.edge.plan import Do, plan
from nodes.edge.stored import Part, Stored
from nodes.http.dates import http_date
from nodes.http.message import Fields, Request

NOW_S = 1_000_000.0


def stored(*fields: tuple[str, str], kept: tuple[tuple[int, int], ...] = ((0, 10),), age_s: float = 0) -> Stored:
    """Ten bytes, received `age_s` ago, of which `kept` spans are here."""
    received_s = NOW_S - age_s
    return Stored("k", "k", "http://a/", "GET", 200, "OK", (("Date", http_date(received_s)), *fields), (), received_s,
                  received_s, 10, tuple(Part(start, length, b"") for start, length in kept))  # fmt: skip


def request(*fields: tuple[str, str], method: str = "GET") -> Request:
    """A request for it."""
    return Request(method, "/", "1.1", Fields(fields), "/", "")


FRESH, TAG = ("Cache-Control", "max-age=60"), ("ETag", '"a"')
ONLY = ("Cache-Control", "only-if-cached")
BEHIND = ("Cache-Control", "max-age=60, stale-while-revalidate=60")


@pytest.mark.parametrize(
    ("asked", "known", "do", "fwd"),
    [
        (request(), (), Do.FORWARD, "uri-miss"),
        (request(ONLY), (), Do.REFUSE, "uri-miss"),
        (request(), (stored(FRESH),), Do.SERVE, ""),
        (request(ONLY), (stored(FRESH),), Do.SERVE, ""),
        (request(), (stored(FRESH, age_s=61),), Do.VALIDATE, "stale"),
        (request(ONLY), (stored(FRESH, age_s=61),), Do.REFUSE, "stale"),
        (request(("Cache-Control", "no-cache")), (stored(FRESH),), Do.VALIDATE, "request"),
        (request(), (stored(BEHIND, age_s=61),), Do.BEHIND, "stale"),
        (request(), (stored(BEHIND, age_s=121),), Do.VALIDATE, "stale"),
        (request(), (stored(FRESH, ("Vary", "X")), ), Do.SERVE, ""),
        (request(("X", "1")), (stored(FRESH, ("Vary", "X")),), Do.FORWARD, "vary-miss"),
        (request(), (stored(FRESH, TAG, kept=((0, 5),)),), Do.COMPLETE, "partial"),
        (request(ONLY), (stored(FRESH, TAG, kept=((0, 5),)),), Do.REFUSE, "partial"),
        (request(), (stored(FRESH, kept=((0, 5),)),), Do.FORWARD, "partial"),
        (request(("Range", "bytes=1-3")), (stored(FRESH, kept=((0, 5),)),), Do.SERVE, ""),
        (request(method="HEAD"), (stored(FRESH, kept=((0, 5),)),), Do.SERVE, ""),
    ],
)  # fmt: skip
def test_what_is_done(asked: Request, known: tuple[Stored, ...], do: Do, fwd: str) -> None:
    made = plan(asked, known, NOW_S, lambda status: None)
    assert (made.do, made.fwd) == (do, fwd)


@pytest.mark.parametrize(
    ("spec", "kept", "wanted"),
    [
        (None, ((0, 5),), "bytes=5-"),
        (None, ((5, 5),), "bytes=0-4"),
        (None, ((2, 2), (6, 2)), "bytes=0-"),
        ("bytes=1-7", ((0, 3), (6, 4)), "bytes=3-5"),
        ("bytes=-4", ((0, 7),), "bytes=7-"),
    ],
)
def test_what_lacks_is_asked_for_in_one_stretch(spec: str | None, kept: tuple[tuple[int, int], ...], wanted: str) -> None:
    asked = request(("Range", spec)) if spec else request()
    made = plan(asked, (stored(FRESH, TAG, kept=kept),), NOW_S, lambda status: None)
    assert made.completion == (("Range", wanted), ("If-Range", '"a"'))


def test_several_ranges_with_gaps_are_not_completed() -> None:
    asked = request(("Range", "bytes=0-0,9-9"))
    big = replace(stored(FRESH, TAG, kept=((0, 5),)), size_bytes=10_000)
    assert plan(replace_range(asked, "bytes=0-0,9000-9001"), (big,), NOW_S, lambda status: None).do is Do.FORWARD


def replace_range(asked: Request, value: str) -> Request:
    """The same request for other ranges."""
    return request(("Range", value), method=asked.method)


def test_an_error_of_the_origin_may_be_covered_only_by_what_answers_the_request() -> None:
    old = stored(FRESH, age_s=70)
    assert plan(request(), (old,), NOW_S, lambda status: None).on_error
    assert not plan(request(), (stored(FRESH, kept=((0, 5),), age_s=70),), NOW_S, lambda status: None).on_error
    strict = stored(("Cache-Control", "max-age=60, must-revalidate"), age_s=70)
    assert not plan(request(), (strict,), NOW_S, lambda status: None).on_error
