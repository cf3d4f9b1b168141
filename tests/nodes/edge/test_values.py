"""Small values of the edge: Cache-Status, prepared hits, uncacheable keys, which fetch survives, what is forwarded."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.edge.cache_status import CacheStatus
from nodes.edge.forwarding import to_origin
from nodes.edge.hit import Hit, Ready, hit_of
from nodes.edge.survival import SMALL_BYTES, worth_finishing
from nodes.edge.uncacheable import Uncacheable
from nodes.http.hops import forwards_left, loops
from nodes.http.message import Fields, Request


def test_cache_status_is_as_rfc_9211_has_it() -> None:
    assert CacheStatus(hit=True, ttl_s=59.9, key="http://a/b").text("edge1") == 'edge1; hit; ttl=59; key="http://a/b"'
    assert CacheStatus(fwd="stale", fwd_status=304, ttl_s=-1.5, collapsed=True).text("e") == (
        "e; fwd=stale; fwd-status=304; ttl=-1; collapsed")  # fmt: skip
    assert CacheStatus(fwd="uri-miss", stored=True, detail='it "broke"').text("e") == (
        'e; fwd=uri-miss; stored; detail="it \\"broke\\""')  # fmt: skip
    assert CacheStatus(fwd="miss", detail="a-token").text("e").endswith("detail=a-token")


@given(st.text())
def test_no_key_breaks_out_of_its_string(key: str) -> None:
    text = CacheStatus(hit=True, key=key).text("e")
    inner = text.removeprefix('e; hit; key="').removesuffix('"')
    assert '"' not in inner.replace("\\\\", "").replace('\\"', "")
    assert all(" " <= char <= "~" for char in text)


def hit(**more: object) -> Hit:
    """A hit of four bytes, judged at 100 s, fresh until 160 s."""
    usual: dict[str, object] = {
        "raw": "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "scheme": "http", "method": "GET", "target": "/", "version": "1.1",
        "persistent": True, "name": 7, "key": "k", "status": 200, "reason": "Fine",
        "fields": (("Date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("Via", "1.1 e")), "length_bytes": 4, "sent_bytes": 4,
        "start": 0, "judged_s": 100.0, "until_s": 160.0, "ttl_s": 60.0, "age_s": 2.5, "stamp": (1, 2, 3, 4),
    }  # fmt: skip
    return Hit(**{**usual, **more})  # type: ignore[arg-type]


def test_a_hit_passes_between_workers_unchanged() -> None:
    assert hit_of(hit().message()) == hit()


def test_a_prepared_hit_holds_until_the_second_turns_and_then_has_a_later_age() -> None:
    ready = Ready("e", hit(), b"data", None)
    assert ready.block == (
        b"HTTP/1.1 200 Fine\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nVia: 1.1 e\r\nAge: 2\r\n"
        b'Cache-Status: e; hit; ttl=60; key="k"\r\nContent-Length: 4\r\n\r\ndata')  # fmt: skip
    assert ready.until_s == 100.5
    assert ready.renew(101.0)
    assert b"\r\nAge: 3\r\nCache-Status: e; hit; ttl=59;" in ready.block
    assert ready.until_s == 101.5
    assert ready.renew(159.0)
    assert b"\r\nAge: 61\r\n" in ready.block
    assert ready.until_s == 159.5
    assert not ready.renew(160.0)


@given(st.floats(0, 1e6), st.floats(0, 1e5), st.floats(0, 100))
def test_a_prepared_age_is_the_age_at_every_moment(judged_s: float, age_s: float, passed_s: float) -> None:
    ready = Ready("e", hit(judged_s=judged_s, age_s=age_s, until_s=judged_s + 1000), b"data", None)
    now_s = judged_s + passed_s
    if now_s >= ready.until_s:
        assert ready.renew(now_s)
    shown = int(ready.block.split(b"\r\nAge: ")[1].split(b"\r\n")[0])
    assert abs(shown - int(age_s + passed_s)) <= (0 if abs((age_s + passed_s) % 1 - 0.5) < 0.499 else 1)


def test_a_hit_with_a_file_is_looked_at_for_each_use() -> None:
    assert Ready("e", hit(), None, object()).until_s == 0.0  # type: ignore[arg-type]


def test_uncacheable_keys_are_forgotten_in_time_in_number_and_when_told() -> None:
    known = Uncacheable(keep_s=10, most=2)
    known.note("a", 0)
    assert known.holds("a", 9.9)
    assert not known.holds("a", 10)
    for key in "abc":
        known.note(key, 20)
    assert [known.holds(key, 21) for key in "abc"] == [False, True, True]
    known.forget("b")
    assert not known.holds("b", 21)
    known.note("d", 100)
    assert len(known) == 1
    assert known.holds("d", 101)


def test_a_long_uncacheable_key_takes_no_more_memory_than_a_short_one() -> None:
    known = Uncacheable()
    tracemalloc.start()
    for number in range(100):
        known.note(("GET", "k", (), (("if-none-match", f"{number}" + "x" * 60_000),)), 0)
    taken_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(known) == 100
    assert known.holds(("GET", "k", (), (("if-none-match", "7" + "x" * 60_000),)), 1)
    assert not known.holds(("GET", "k", (), (("if-none-match", "7" + "x" * 60_001),)), 1)
    assert taken_bytes < 100_000


@pytest.mark.parametrize(
    ("have", "length", "goes_on"),
    [(0, None, False), (10**9, None, False), (6, 10, True), (0, SMALL_BYTES, True), (0, 10**9, False),
     (5 * 10**8, 10**9, False), (5 * 10**8 + 1, 10**9, True)],
)  # fmt: skip
def test_which_fetch_survives_its_last_client(have: int, length: int | None, goes_on: bool) -> None:
    assert worth_finishing(have, length) is goes_on


def request(method: str = "GET", *fields: tuple[str, str], **more: object) -> Request:
    """A request with fields."""
    return Request(method, "/", "1.1", Fields(fields), "/", "", **more)  # type: ignore[arg-type]


def test_the_clients_conditions_and_ranges_give_way_to_the_edges_own() -> None:
    asked = request("GET", ("Range", "bytes=0-1"), ("If-None-Match", '"x"'), ("X", "1"), ("X", "2"))
    passed = to_origin(asked, "e", "origin", own=None)
    assert passed.items[:5] == [("Host", "origin"), *asked.fields.items]
    own = to_origin(asked, "e", "origin", own=[("If-None-Match", '"y"')])
    assert own.all("if-none-match") == ['"y"']
    assert "range" not in own
    assert own.all("x") == ["1", "2"]


def test_framing_fields_are_the_edges_own_whatever_connection_names() -> None:
    asked = request("POST", ("Connection", "content-length, host"), ("Content-Length", "3"), has_body=True, content_length=3)
    sent = to_origin(asked, "e", "origin", own=None)
    assert sent.all("content-length") == ["3"]
    assert sent.all("host") == ["origin"]
    chunked = to_origin(request("POST", ("Transfer-Encoding", "chunked"), has_body=True), "e", "origin", own=None)
    assert chunked.all("transfer-encoding") == ["chunked"]
    assert to_origin(request("POST", content_length=0), "e", "origin", own=None).all("content-length") == ["0"]


def test_loops_are_seen_by_name_whatever_the_parameters() -> None:
    assert loops(request("GET", ("CDN-Loop", "a; x=1, E;y")), "e")
    assert not loops(request("GET", ("CDN-Loop", "edge, a;e")), "e")


@pytest.mark.parametrize(("method", "value", "left"), [("TRACE", "3", 3), ("OPTIONS", "0", 0), ("GET", "3", None),
                                                       ("TRACE", "x", None), ("TRACE", "0" * 5000 + "7", 7),
                                                       ("TRACE", "²", None),
                                                       ("TRACE", "9" * 5000, 999_999_999)])  # fmt: skip
def test_forwards_left(method: str, value: str, left: int | None) -> None:
    assert forwards_left(request(method, ("Max-Forwards", value))) == left
