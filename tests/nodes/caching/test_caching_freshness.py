"""Storing and freshness, by the tables of RFC 9111, sections 3 and 4.2."""

from typing import Any

import pytest
from tables import NOW, cases, request, response, stored

from nodes.edge.caching import age, lifetime, storing
from nodes.edge.caching.override import Override


@cases("rfc9111_3_storing")
def test_3_storing(case: dict[str, Any]) -> None:
    status, fields = response(case["response"])
    verdict = storing.storable(request(case.get("request", "GET /")), status, fields, NOW)
    assert (verdict.store, verdict.why) == (not case["why"], case["why"])


@cases("rfc9111_4_2_freshness")
def test_4_2_freshness(case: dict[str, Any]) -> None:
    for status in case.get("statuses", [None]):
        one = case if status is None else {**case, "response": f"{status}{case['response'][3:]}"}
        kept = stored(one, "response")
        override = Override(**case["override"]) if "override" in case else None
        if "lifetime" in case:
            code, fields = response(one["response"])
            rules = lifetime.policy(fields)
            assert lifetime.lifetime_of_s(code, fields, rules, kept.received_s, override) == case["lifetime"], status
        if "age" in case:
            at_s = NOW + case.get("at", case.get("received", 0))
            assert age.current_age_s(kept, at_s) == pytest.approx(case["age"])


def test_a_rule_makes_storable_what_states_no_lifetime_but_not_what_the_origin_forbids() -> None:
    rule = Override(ttl_s=60)
    for text, stores in (("200\nX: y", True), ("403\nX: y", True), ("200\nCache-Control: max-age=0", True),
                         ("200\nCache-Control: no-store", False), ("200\nCache-Control: private", False),
                         ("200\nVary: *", False)):  # fmt: skip
        assert storing.storable(request(), *response(text), NOW, rule).store is stores, text
    assert not storing.storable(request("GET /\nAuthorization: x"), *response("200"), NOW, rule).store


def test_3_1_fields_that_are_not_stored() -> None:
    text = """
200
Date: {now}
Connection: a, Close
A: 1
Keep-Alive: x
Transfer-Encoding: chunked
TE: x
Upgrade: x
Proxy-Authenticate: x
Proxy-Authentication-Info: x
Proxy-Authorization: x
Proxy-Connection: x
Content-Range: kept on a 200
Cache-Control: private="Set-Cookie", max-age=60
Set-Cookie: a=b
X: 1
x: 2
Content-Length: 5
"""
    names = [name for name, _ in storing.kept_fields(*response(text), NOW)]
    assert names == ["Date", "Content-Range", "Cache-Control", "X", "x", "Content-Length"]


def test_3_3_a_part_is_stored_as_a_whole_of_which_bytes_are_missing() -> None:
    text = "206\nDate: {now}\nContent-Range: bytes 0-4/10\nContent-Length: 5\nX: 1"
    assert storing.stored_status(206) == 200
    assert [name for name, _ in storing.kept_fields(*response(text), NOW)] == ["Date", "X"]


def test_rfc_9110_6_6_1_a_response_without_date_gets_the_time_of_its_reception() -> None:
    assert storing.kept_fields(*response("200\nX: 1"), NOW)[-1] == ("Date", "Thu, 01 Jan 2026 00:00:00 GMT")
