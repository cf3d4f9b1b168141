"""Reuse and variants, by the tables of RFC 9111, sections 4 and 4.1."""

from dataclasses import replace
from typing import Any

import pytest
from tables import NOW, Asking, cases, fields, request, stored

from nodes.edge.caching import reuse, variants
from nodes.edge.caching.facts import Remembered, facts_of, work_out
from nodes.edge.caching.override import Override


@cases("rfc9111_4_reuse")
def test_4_reuse(case: dict[str, Any]) -> None:
    override = Override(**case["override"]) if "override" in case else None
    judged = reuse.judge(request(case.get("request", "GET /")), stored(case), NOW + case["at"], override)
    assert judged.use == case["use"]
    assert judged.drop_fields == tuple(case.get("drop", []))
    assert judged.serves is (judged.use in ("fresh", "stale", "stale-while-revalidate"))
    for name in ("why", "on_error"):
        assert getattr(judged, name) == case.get(name, getattr(judged, name)), name
    assert judged.ttl_s == pytest.approx(case.get("ttl", judged.ttl_s))
    if "until" in case:
        assert judged.until_s == pytest.approx(NOW + case["until"])
    if not judged.serves:
        assert judged.until_s == reuse.FOREVER_S


def test_5_2_1_7_only_if_cached() -> None:
    assert reuse.only_if_cached(request("GET /\nCache-Control: only-if-cached"))
    assert not reuse.only_if_cached(request("GET /\nCache-Control: max-age=0"))


def test_4_the_age_that_a_judgement_gives_is_for_the_age_field() -> None:
    kept = stored({"stored": "200\nDate: {now}\nAge: 30\nCache-Control: max-age=600"})
    assert reuse.judge(request(), kept, NOW + 3).age_s == 33


def test_facts_are_remembered_for_the_object_and_not_for_another_in_its_place() -> None:
    kept = stored({"stored": "200\nCache-Control: max-age=1"})
    assert facts_of(kept) is facts_of(kept)
    for seconds in range(2, 200):
        other = replace(kept, fields=(("Cache-Control", f"max-age={seconds}"),))
        assert facts_of(other) == work_out(other)
        assert facts_of(other).explicit_s == seconds


@pytest.mark.parametrize(("length", "most"), [(10, 20), (100_000, 9)])
def test_facts_are_forgotten_by_number_and_by_what_their_objects_weigh(length: int, most: int) -> None:
    memory = Remembered(most=20, most_bytes=1_000_000)
    for number in range(100):
        kept = stored({"stored": f"200\nCache-Control: max-age={number}\nX-Long: {'x' * length}"})
        assert memory.facts(kept).explicit_s == number
        assert memory.facts(kept) is memory.facts(kept)
        assert 1 <= len(memory) <= most
        assert memory.weight_bytes <= 1_000_000


@cases("rfc9111_4_1_vary")
def test_4_1_variants(case: dict[str, Any]) -> None:
    kept = stored({"stored": f"200\nCache-Control: max-age=60\nVary: {case['vary']}", "stored_for": f"GET /\n{case['first']}"})
    chosen = variants.select(fields(case["second"]), [kept])
    assert chosen is (kept if case["matches"] else None)


def variant(date: int, vary: str = "", **given: Any) -> Any:
    text = f"200\nDate: {{now{date:+}}}\n" + (f"Vary: {vary}\n" if vary else "") + "Cache-Control: max-age=60"
    return stored({"stored": text, **given})


def test_4_1_of_several_that_match_the_newest_by_its_date() -> None:
    old, new = variant(-60, received=5), variant(-30, received=1)
    assert variants.select(fields(""), [old, new]) is new
    assert variants.select(fields(""), [new, old]) is new


def test_4_1_with_the_same_date_the_one_received_last() -> None:
    first, second = variant(-60, received=1), variant(-60, received=2)
    assert variants.select(fields(""), [second, first]) is second


def test_4_1_one_with_vary_goes_before_a_newer_one_without() -> None:
    varied, plain = variant(-60, "Accept", stored_for="GET /\nAccept: text/css"), variant(-10)
    assert variants.select(fields("Accept: text/css"), [varied, plain]) is varied
    assert variants.select(fields("Accept: text/html"), [varied, plain]) is plain


def test_4_1_each_variant_for_its_own_request() -> None:
    one, two = (variant(-10, "Foo", stored_for=f"GET /\nFoo: {value}") for value in "12")
    assert variants.select(fields("Foo: 1"), [one, two]) is one
    assert variants.select(fields("Foo: 2"), [one, two]) is two
    assert variants.select(fields("Foo: 3"), [one, two]) is None


def test_4_1_a_star_that_an_update_brought_matches_nothing() -> None:
    kept = stored({"stored": "200\nVary: *"})
    assert variants.select(fields(""), [kept]) is None
    assert variants.vary_values(fields("A: 1"), fields("Vary: A, *")) is None


def test_normal_forms_are_the_same_in_every_process_since_the_store_outlives_it() -> None:
    value = "gzip, br;q=0.5, deflate, zstd, identity;q=0"
    assert variants.vary_values(fields(f"Accept-Encoding: {value}"), fields("Vary: Accept-Encoding")) == (
        ("accept-encoding", "br;q=0.5,deflate,gzip,identity;q=0,zstd"),
    )


def test_variants_are_told_by_name_and_value() -> None:
    assert variants.vary_values(fields("B: 2\nA: 1"), fields("Vary: b, a, c")) == (("a", "1"), ("b", "2"))
    assert variants.vary_values(fields("B: 2"), fields("X: 1")) == ()


def test_a_request_is_anything_with_method_uri_and_fields() -> None:
    assert not reuse.only_if_cached(Asking("GET", "http://a.example/", fields("")))
