"""The query of a generated object scripts its response; a malformed script is refused."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.http.message import Fields
from nodes.origin.generate import content
from nodes.origin.script import ScriptError, parse
from tests.nodes.wirekit import Daemon, raw, request

USUAL = [("ETag", '"usual"'), ("Cache-Control", "public"), ("Content-Type", "text/plain")]


def applied(query: str) -> list[tuple[str, str]]:
    fields = Fields(USUAL)
    parse(query).apply(fields)
    return fields.items


def test_a_query_without_settings_changes_nothing() -> None:
    for query in ("", "x=1&y", "v=2&Cache-Control=no-store"):
        assert applied(query) == USUAL
        assert parse(query).status is None


def test_a_field_replaces_the_usual_one_and_an_empty_value_leaves_it_out() -> None:
    assert applied("cache-control=max-age=60,+public") == [USUAL[0], USUAL[2], ("Cache-Control", "max-age=60, public")]
    assert applied("etag=&cache-control=") == [USUAL[2]]


@pytest.mark.parametrize(("said", "tag"), [("v1", '"v1"'), ("W/v1", 'W/"v1"'), ('"a,b"', '"a,b"'), ('W/""', 'W/""')])
def test_an_entity_tag_needs_no_quotation_marks(said: str, tag: str) -> None:
    assert ("ETag", tag) in applied(f"etag={said}")


def test_headers_may_be_repeated_and_keep_their_order_and_case() -> None:
    assert applied("header=x-B:1&header=X-a:%202")[-2:] == [("x-B", "1"), ("X-a", "2")]


def test_think_rate_status_and_framing() -> None:
    script = parse("think=40ms&rate=1mbit&status=503&framing=chunked")
    assert (script.think_ms, script.rate_bps, script.status, script.chunked) == (40, 1_000_000, 503, True)


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("status=100", "200 and 999"), ("status=20", "200 and 999"), ("status=1000", "200 and 999"), ("status=", "200 and 999"),
        ("status=%D9%A2%D9%A0%D9%A0", "200 and 999"),
        ("etag=a+b", "entity tag"), ("etag=w/a", "entity tag"), ('etag="a b"', "entity tag"),
        ("last-modified=yesterday", "HTTP date"), ("cache-control=a%0D%0AX:1", "field value"), ("vary=%00", "field value"),
        ("header=X", "NAME:VALUE"), ("header=X Y:1", "NAME:VALUE"), ("header=Content-Length:5", "NAME:VALUE"),
        ("header=transfer-encoding:chunked", "NAME:VALUE"), ("header=A:b%0Ac", "field value"), ("framing=close", "chunked"),
        ("think=40", "no unit"), ("think=2h", "60s"), ("rate=1bit", "1kbit"), ("think=", "duration"),
        ("&".join("a=1" for _ in range(200)), "fields"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_words(query: str, word: str) -> None:
    with pytest.raises(ScriptError, match=word):
        parse(query)


@given(st.text(max_size=60))
def test_no_query_breaks_it_or_splits_a_field(text: str) -> None:
    for query in (text, f"cache-control={quote(text)}", f"header=X:{quote(text)}", f"header={quote(text)}"):
        try:
            items = applied(query)
        except ScriptError:
            continue
        assert not any(mark in part for pair in items for part in pair for mark in "\r\n\0")


def test_a_scripted_object_keeps_its_content(origin: Daemon) -> None:
    answer = origin.get('/objects/1KiB/a?cache-control=s-maxage=5&vary=Accept&etag=v2&header=X-Seen:%201')
    assert answer.body == content("a", 1024, 0, 1024)
    found = {name: answer.fields[name] for name in ("cache-control", "vary", "etag", "x-seen")}
    assert found == {"cache-control": "s-maxage=5", "vary": "Accept", "etag": '"v2"', "x-seen": "1"}


def test_conditions_are_judged_by_the_scripted_validators(origin: Daemon) -> None:
    path = '/objects/1KiB/a?etag=v2&cache-control=max-age=7'
    answer = origin.get(path, 'If-None-Match: "v2"')
    assert (answer.status, answer.fields["cache-control"]) == (304, "max-age=7")
    assert origin.get(path, 'If-None-Match: "v1"').status == 200
    bare = origin.get("/objects/1KiB/a?etag=&last-modified=&cache-control=")
    assert not {"etag", "last-modified", "cache-control"} & set(bare.fields)
    assert origin.get("/objects/1KiB/a?etag=&last-modified=", "If-None-Match: *").status == 304


@pytest.mark.parametrize("status", [200, 203, 404, 410, 412, 416, 500, 599, 999])
def test_any_status_for_any_method(origin: Daemon, status: int) -> None:
    for method in ("GET", "POST", "DELETE", "PATCH"):
        answer = origin.get(f"/objects/10B/a?status={status}&location=/b", "Range: bytes=0-1", method=method)
        assert (answer.status, answer.body, answer.fields["location"]) == (status, content("a", 10, 0, 10), "/b")
    assert origin.get("/objects/10B/a?status=204", method="PUT", body=b"x").status == 204
    assert origin.get("/objects/10B/a", method="PUT", body=b"x").status == 405


def test_chunked_framing_has_no_length(origin: Daemon) -> None:
    heard = raw(origin.port, request("GET", "/objects/300B/a?framing=chunked"))
    head, _, body = heard.partition(b"\r\n\r\n")
    assert b"content-length" not in head.lower()
    assert b"Transfer-Encoding: chunked" in head
    assert body == b"12c\r\n" + content("a", 300, 0, 300) + b"\r\n0\r\n\r\n"


def test_a_malformed_script_is_400_with_the_reason(origin: Daemon) -> None:
    answer = origin.get("/objects/1KiB/a?status=99")
    assert answer.status == 400
    assert b"status=99 is not within 200 and 999" in answer.body
