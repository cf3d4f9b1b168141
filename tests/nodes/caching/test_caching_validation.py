"""Validation, updating, invalidation and answering, by the tables of RFC 9111, sections 3.2, 4.3 and 4.4."""

from dataclasses import replace
from typing import Any

import pytest
from tables import NOW, cases, fields, parts, request, response, stored

from nodes.edge.caching import answering, invalidation, validation
from nodes.edge.stored import Stored


@cases("rfc9111_4_3_validation")
def test_4_3_validation(case: dict[str, Any]) -> None:
    kept = {}
    for text in case["stored"]:
        one = stored({"stored": text, **({"parts": case["parts"]} if "parts" in case else {})})
        kept[one.headers.get("x")] = one
    asked = validation.asked_about(kept.get(case.get("selected")), list(kept.values()))
    if "conditions" in case:
        assert validation.conditions(asked) == fields(case["conditions"]).items
    if "answer" in case:
        chosen = validation.chosen_by_304(asked, fields(case["answer"]))
        assert [one.headers.get("x") for one in chosen] == case["updated"]


def test_4_3_1_no_more_tags_than_a_head_can_hold() -> None:
    many = [stored({"stored": f'200\nETag: "{n}"\nDate: {{now-{n}}}'}) for n in range(1, 100)]
    asked = validation.asked_about(None, many)
    assert [one.headers.get("etag") for one in asked] == [f'"{n}"' for n in range(1, validation.MAX_TAGS + 1)]


@cases("rfc9111_3_2_updating")
def test_3_2_updating(case: dict[str, Any]) -> None:
    before = stored(case)
    after = validation.refreshed(before, fields(case["answer"]), None, NOW + 99, NOW + 100)
    assert after.headers.items == fields(case["fields"]).items
    assert after == replace(before, fields=after.fields, requested_s=NOW + 99, received_s=NOW + 100)


def test_3_2_a_304_that_changes_vary_makes_the_request_that_got_it_choose() -> None:
    before = stored({"stored": "200\nVary: A", "stored_for": "GET /\nA: 1\nB: 2"})
    after = validation.refreshed(before, fields("Vary: A, B"), fields("A: 1\nB: 3"), NOW, NOW)
    assert (before.vary, after.vary) == ((("a", "1"),), (("a", "1"), ("b", "3")))
    same = validation.refreshed(before, fields("Vary: a"), fields("A: 9"), NOW, NOW)
    assert same.vary == before.vary


HEAD_STORED = {"stored": '200\nDate: {now}\nETag: "a"\nLast-Modified: {now-1000}\nX: 1', "size": 10}


@pytest.mark.parametrize("answer", ["", 'ETag: "a"', "Last-Modified: {now-1000}", "Content-Length: 10"])
def test_4_3_5_a_head_that_agrees_updates(answer: str) -> None:
    found = validation.by_head(stored(HEAD_STORED), 200, fields(answer + "\nX: 2\nCache-Control: max-age=9"), NOW, NOW + 5)
    assert isinstance(found, Stored)
    assert (found.headers.get("x"), found.headers.get("etag"), found.received_s) == ("2", '"a"', NOW + 5)
    assert found.headers.get("cache-control") == "max-age=9"


@pytest.mark.parametrize("answer", ['ETag: "b"', "Last-Modified: {now-999}", "Content-Length: 11", "Content-Length: 10, 10"])
def test_4_3_5_a_head_that_does_not_agree_makes_it_stale(answer: str) -> None:
    assert validation.by_head(stored(HEAD_STORED), 200, fields(answer), NOW, NOW) == "invalidate"


def test_4_3_5_only_a_200_says_anything() -> None:
    for status in (304, 404, 410, 500):
        assert validation.by_head(stored(HEAD_STORED), status, fields('ETag: "b"'), NOW, NOW) is None


@cases("rfc9111_4_4_invalidation")
def test_4_4_invalidation(case: dict[str, Any]) -> None:
    asking, (status, given) = request(case["request"]), response(case["response"])
    assert invalidation.targets(asking.method, asking.uri, status, given) == case.get("targets", [])
    assert list(invalidation.groups(asking.method, given)) == case.get("groups", [])


def test_rfc_9875_2_membership() -> None:
    assert invalidation.member_of(fields('Cache-Groups: "a", "A", "b c"\nCache-Groups: "a"')) == ("a", "A", "b c")
    assert invalidation.member_of(fields("Cache-Groups: a")) == ()
    assert invalidation.member_of(fields("X: 1")) == ()
    many = ", ".join(f'"{"g" * 32}{n}"' for n in range(64))
    assert len(invalidation.member_of(fields(f"Cache-Groups: {many}"))) == 64


@cases("rfc9111_4_3_2_answering")
def test_4_3_2_answering(case: dict[str, Any]) -> None:
    kept = stored({"stored": "200\nCache-Control: max-age=60", "size": 1000, **case})
    chosen = answering.answer(request(case.get("request", "GET /")), kept)
    if case.get("lacks"):
        assert chosen is None
        return
    assert chosen is not None
    assert chosen.status == case["status"]
    if "sends" in case:
        assert [list(part) for part in chosen.parts] == case["sends"]


def test_a_whole_that_is_no_200_and_kept_in_part_cannot_answer() -> None:
    kept = stored({"stored": "404\nX: 1", "size": 10})
    assert answering.answer(request(), replace(kept, parts=parts([[0, 5]]))) is None
