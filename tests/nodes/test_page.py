"""A page load: what is asked for when, over how many connections, and what a load that goes wrong says."""

import json
import subprocess
import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.origin.generate import sha256
from nodes.page.load import load
from nodes.page.plan import Item, PageError, Plan, checked, parse, synthetic
from tests.nodes.wirekit import ENV, Daemon, ScriptedOrigin

PAGE = (Item("html", "http://h/"), Item("css", "http://h/c", ("html",)), Item("img", "http://h/i", ("html",)),
        Item("font", "http://h/f", ("css",)))  # fmt: skip


def names(items):
    return [item.name for item in items]


def test_an_object_is_asked_for_once_all_that_it_comes_after_has_arrived() -> None:
    plan = Plan(PAGE)
    assert names(plan.due()) == ["html"]
    assert names(plan.due()) == []
    plan.arrived("html")
    assert names(plan.due()) == ["css", "img"]
    plan.arrived("img")
    assert names(plan.due()) == []
    plan.arrived("css")
    assert names(plan.due()) == ["font"]
    assert not plan.complete
    plan.arrived("font")
    assert plan.complete


@given(st.lists(st.lists(st.integers(0, 30), max_size=3), max_size=30))
def test_every_page_that_is_accepted_comes_whole(after: list[list[int]]) -> None:
    items = [Item(str(n), "http://h/", tuple(str(one % (n or 1)) for one in before) if n else ())
             for n, before in enumerate(after)]  # fmt: skip
    plan, seen = Plan(checked(items)), list[str]()
    while due := plan.due():
        for item in due:
            assert set(item.after) <= set(seen)
        for item in due:
            seen.append(item.name)
            plan.arrived(item.name)
    assert sorted(seen) == sorted(names(items))
    assert plan.complete


@pytest.mark.parametrize(("raw", "words"), [
    ([], "no list of objects"),
    ([{"url": "ftp://h/"}], "begins with neither"),
    ([{"url": "http://h/"}, {"url": "http://h/"}], "two objects called http://h/"),
    ([{"url": "http://h/", "after": ["x"]}], "comes after x, which is no object"),
    ([{"url": "http://h/", "name": "a", "after": ["b"]}, {"url": "http://h/b", "name": "b", "after": ["a"]}],
     "never be asked for"),
    ([{"url": "http://h/", "size": 3}], "unknown"),
    ([{"url": "http://h/", "sha256": "x"}], "not 64 hexadecimal digits"),
])  # fmt: skip
def test_a_page_that_cannot_be_loaded_is_refused(raw: object, words: str) -> None:
    with pytest.raises(PageError) as caught:
        parse(raw)
    assert words.replace("unknown", "has 'size'") in str(caught.value)


def test_a_synthetic_page_has_two_levels() -> None:
    items = parse(synthetic("http://h", 5000, [100] * 5, second_level=2))
    assert names(items) == ["html", "1", "2", "3", "4", "5"]
    assert [item.after for item in items] == [(), ("html",), ("html",), ("html",), ("1",), ("1",)]


@pytest.mark.parametrize("connections", [1, 2, 6])
def test_the_whole_page_comes_over_at_most_so_many_connections(origin: Daemon, connections: int) -> None:
    page = [{**one, "sha256": sha256(one["url"].rpartition("/")[2], size).hex()} for one, size in
            zip(synthetic(origin.url, 30_000, [6000] * 12, second_level=4), [30_000] + [6000] * 12, strict=True)]  # fmt: skip
    found = load(parse(page), connections, "1.1", 10)
    assert (found.ok, found.error) == (True, None)
    assert found.connections == connections
    assert found.size_bytes == 30_000 + 12 * 6000
    by_name = {one["name"]: one for one in found.objects}
    assert len(by_name) == 13
    assert all(one["digest_ok"] for one in found.objects)
    assert by_name["html"]["done_ms"] <= by_name["1"]["asked_ms"] <= by_name["1"]["done_ms"] <= by_name["12"]["asked_ms"]
    assert found.page_load_ms == max(one["done_ms"] for one in found.objects)


def test_a_page_is_loaded_over_new_connections_each_time(origin: Daemon) -> None:
    page = parse(synthetic(origin.url, 1000, [1000]))
    assert [load(page, 6, "1.1", 10).connections for _ in "ab"] == [1, 1]


def test_what_fails_ends_the_load_and_is_named(origin: Daemon, script: Callable[..., ScriptedOrigin]) -> None:
    missing = [Item("html", f"{origin.url}/nothing"), Item("next", f"{origin.url}/objects/1B/a", ("html",))]
    found = load(missing, 6, "1.1", 10)
    assert (found.ok, found.page_load_ms) == (False, None)
    assert found.error == "html: the server answered 404"
    assert len(found.objects) == 1
    wrong = load([Item("a", f"{origin.url}/objects/1KB/a", (), "0" * 64)], 6, "1.1", 10)
    assert "its sha-256 differs" in (wrong.error or "")
    slow = load([Item("a", f"{origin.url}/objects/1KB/a?think=3s")], 6, "1.1", 0.3)
    assert "a: " in (slow.error or "")


def test_the_worker_answers_every_order_good_or_not(origin: Daemon) -> None:
    orders = [{"page": synthetic(origin.url, 100, [100]), "connections": 2}, {"page": [], "connections": 2},
              {"page": [], "speed": 1}, {"page": synthetic(origin.url, 1, []), "connections": 0}]  # fmt: skip
    done = subprocess.run([sys.executable, "-m", "nodes.page", "--worker"], input="\n".join(map(json.dumps, orders)) + "\nx\n",
                          capture_output=True, text=True, env=ENV, timeout=20, check=True)  # fmt: skip
    good, *bad = [json.loads(line) for line in done.stdout.splitlines()]
    assert good["ok"]
    assert [one["ok"] for one in bad] == [False] * 4
    words = ("no list of objects", "'speed'", "connections 0", "could not read the order")
    assert all(some in one["error"] for one, some in zip(bad, words, strict=True))
