"""What a route says is done: origins, freshness, header edits, reload; and the file that users copy."""

import re
from pathlib import Path

import pytest

import nodes.edge
from nodes.edge.caching.override import Override
from nodes.edge.routing.rules import parse, reload, values
from nodes.http.message import Fields
from tests.nodes.routing.asking import DEFAULT, ask, only, rules

SHIPPED = (Path(nodes.edge.__file__).parent / "default_rules.toml").read_text(encoding="utf-8")


def test_the_default_rules_cache_everything_from_the_default_origin():
    route = parse(SHIPPED, DEFAULT).route(ask("/anything?x", method="POST"))
    assert route is not None
    assert (route.origin, route.passes, route.preserve_host, route.deny) == (DEFAULT, False, False, None)
    assert route.freshness.override(200) is None
    assert not route.request
    assert not route.response


def test_every_example_in_the_shipped_file_is_allowed_and_every_key_has_one():
    from nodes.edge.routing import cache_key, conditions, edits, freshness
    from nodes.edge.routing.rules import ACTIONS

    section = SHIPPED.split("# ---- Everything")[1].split("# ---- The default")[0]
    lines = [line[2:] for line in section.splitlines() if line.startswith("# ")]
    examples = [line for line in lines if re.match(r"\[|[A-Za-z_.0-9-]+ = ", line)]
    origins = [line[2:] for line in SHIPPED.splitlines() if re.match(r"# (images|api|lab) = ", line)]
    assert len(origins) == 3
    alone = {"exact", "glob", "regex", "deny", "redirect", "pass", "keep", "drop", "sort"}
    shared, kept = [], []
    for line in examples:
        (kept if line.partition(" ")[0] in alone else shared).append(line)
    given = "[origins]\n" + "\n".join(origins) + "\n"
    assert parse(given + "\n".join(shared).replace('query = "none"', 'query = "all"'), DEFAULT)
    tables = {"keep": "[route.key]\n", "drop": "[route.key]\n", "sort": "[route.key]\n"}
    for line in kept:
        assert parse(f"{given}[[route]]\n{tables.get(line.partition(' ')[0], '')}{line}", DEFAULT), line
    shown = {line.partition(" = ")[0].partition(".")[0] for line in examples if "=" in line}
    tables_ = {"key", "freshness", "request", "response"}
    known = {*conditions.KEYS, *ACTIONS, *cache_key.KEYS, *freshness.KEYS, *edits.KEYS} - tables_
    assert known <= shown, f"not shown: {known - shown}"


def test_an_origin_is_http_or_https_and_knows_its_host_field():
    text = '[origins]\na="http://a"\nb="http://b:81"\nc="https://c"\nd="https://[::1]:8443/"\n' \
           'e={url="https://192.0.2.9", server_name="origin.lab"}\n'  # fmt: skip
    found = rules(text + "".join(f'[[route]]\nprefix="/{name}"\norigin="{name}"\n' for name in "abcde"))
    origins = [route.origin for route in found.routes if route.origin]
    assert [one.authority for one in origins] == ["a", "b:81", "c", "[::1]:8443", "192.0.2.9"]
    assert [one.url for one in origins] == ["http://a", "http://b:81", "https://c", "https://[::1]:8443", "https://192.0.2.9"]
    assert [one.address[:3] for one in origins] == [("a", 80, "http"), ("b", 81, "http"), ("c", 443, "https"),
                                                    ("::1", 8443, "https"), ("192.0.2.9", 443, "https")]  # fmt: skip
    assert origins[4].address.server_name == "origin.lab"


def test_freshness_is_per_route_and_per_status():
    route = only('[route.freshness]\nttl="1h"\nstale_if_error="24h"\nstatus.404="10s"\nstatus.500="0s"')
    assert route.freshness.override(200) == Override(3600.0, stale_if_error_s=86400.0)
    assert route.freshness.override(404) == Override(10.0, stale_if_error_s=86400.0)
    assert route.freshness.override(500) == Override(0.0, stale_if_error_s=86400.0)


def test_what_is_stated_for_one_status_says_nothing_of_the_others():
    route = only('freshness.status.404 = "10s"')
    assert route.freshness.override(200) is None
    assert route.freshness.override(404) == Override(10.0)


@pytest.mark.parametrize(("text", "override"), [
    ("freshness.heuristics = false", Override(heuristics=False)),
    ('freshness.stale_while_revalidate = "1500ms"', Override(stale_while_revalidate_s=1.5)),
    ('freshness = { ttl = "1min" }', Override(60.0)),
])  # fmt: skip
def test_an_override_says_only_what_was_written(text, override):
    assert only(text).freshness.override(200) == override


def test_edits_remove_then_set_then_add():
    route = only('[route.request]\nremove=["cookie"]\nset.X-A="{client} {host}"\nadd.X-B="2"\n'
                 '[route.response]\nset.X-C="{path}"')  # fmt: skip
    fields, request = Fields([("Cookie", "a"), ("x-a", "1"), ("X-B", "1"), ("Z", "z")]), ask("/p", client="[::1]:9")
    route.request.apply(fields, values(request))
    assert fields.items == [("X-B", "1"), ("Z", "z"), ("X-A", "::1 www.example"), ("X-B", "2")]
    sent = Fields([("x-c", "0")])
    route.response.apply(sent, values(request))
    assert sent.items == [("X-C", "/p")]


def test_a_reload_takes_right_rules_and_keeps_the_old_when_the_new_are_wrong():
    old = rules("[[route]]\n")
    new, why = reload(old, "[[route]]\ndeny = 403\n", DEFAULT)
    assert (new.routes[0].deny, why) == (403, "")
    same, why = reload(old, "[[route]]\ndeny = 200\n", DEFAULT)
    assert same is old
    assert "line 2" in why
    assert "200" in why
