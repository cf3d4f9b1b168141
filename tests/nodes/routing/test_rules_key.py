"""The cache key: what counts, what does not, and that normalising is stable."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.edge.routing.cache_key import KeyRule
from tests.nodes.routing.asking import ask, only, rules

ORIGIN = "http://127.0.0.1:9000"


@pytest.mark.parametrize(
    ("rule", "target", "key"),
    [
        ("", "/a?b=1&a=2", "/a?b=1&a=2"),
        ("", "/a?", "/a?"),
        ("", "/a", "/a"),
        ('key.query = "none"', "/a?b=1", "/a"),
        ("key.sort = true", "/a?b=1&a=2", "/a?a=2&b=1"),
        ("key.sort = true", "/a?b=2&b=1&a", "/a?a&b=2&b=1"),
        ("key.sort = true", "/a?&&", "/a"),
        ('key.keep = ["v"]', "/a?w=1&v=2&vv=3", "/a?v=2"),
        ('key.keep = "v*"', "/a?w=1&vv=3&v=2", "/a?v=2&vv=3"),
        ('key.drop = ["utm_*", "id"]', "/a?z=1&utm_x=2&utm%5Fy=3&id&b=4", "/a?b=4&z=1"),
        ('key.drop = "x"\nkey.sort = false', "/a?z=1&x=2&b=4", "/a?z=1&b=4"),
        ('key.drop = "*"', "/a?b=1", "/a"),
        ('key.drop = "a+b"', "/x?a%2Bb=1&a+b=2", "/x?a+b=2"),
    ],
)
def test_the_query_counts_as_the_rule_says(rule, target, key):
    assert only(rule).primary_key(ask(target)) == ORIGIN + key


@pytest.mark.parametrize(
    ("rule", "key"),
    [
        ("", "http://127.0.0.1:9000/"),
        ("preserve_host = true", "http://127.0.0.1:9000 a.example/"),
        ("preserve_host = true\nkey.host = false", "http://127.0.0.1:9000/"),
        ("key.host = true", "http://127.0.0.1:9000 a.example/"),
    ],
)
def test_the_host_counts_where_the_origin_sees_it_or_a_rule_says_so(rule, key):
    assert only(rule).primary_key(ask("/", "a.example")) == key


def test_fields_and_cookies_count_when_a_rule_names_them():
    route = only('key.headers = ["X-B", "x-a"]\nkey.cookies = "c"')
    request = ask("/p", "h", ("X-A", "1 =&"), ("Cookie", "b=2; c=3"), ("Cookie", "c=4"))
    assert route.primary_key(request) == ORIGIN + "/p x-a=1%20%3D%26 x-b cookie:c=3"


def test_a_field_that_connection_hides_from_the_origin_does_not_count():
    route = only('key.headers = "X-A"\nkey.cookies = "c"')
    hidden = ask("/", "h", ("X-A", "1"), ("Cookie", "c=1"), ("Connection", "x-a, cookie"))
    assert route.primary_key(hidden) == route.primary_key(ask("/", "h"))


def test_an_absent_field_is_not_an_empty_one():
    route = only('key.headers = "X-A"')
    assert route.primary_key(ask("/")) != route.primary_key(ask("/", "h", ("X-A", "")))


def test_two_origins_never_share_an_object():
    text = '[origins]\nb="http://127.0.0.1:9001"\n[[route]]\nheader.X-B.present=true\norigin="b"\npreserve_host=true\n' \
           "[[route]]\npreserve_host=true\n"  # fmt: skip
    found = rules(text)
    requests = (ask("/x"), ask("/x", "www.example", ("X-B", "1")))
    keys = {found.route(one).primary_key(one) for one in requests}  # type: ignore[union-attr]
    assert len(keys) == 2


PARAMETERS = st.lists(st.text("ab=%2~+", min_size=1, max_size=6), max_size=8, unique_by=lambda text: text.partition("=")[0])
RULES = st.sampled_from([KeyRule(sort=True), KeyRule(), KeyRule(query=False), only('key.drop = "a*"').key,
                         only('key.keep = ["a*", "b"]').key])  # fmt: skip


@given(PARAMETERS, RULES)
def test_normalising_twice_is_normalising_once(parameters, rule):
    once = rule.normal_query("&".join(parameters))
    assert rule.normal_query(once) == once


@given(PARAMETERS.flatmap(lambda found: st.tuples(st.just(found), st.permutations(found))))
def test_permuted_parameters_have_one_key(both):
    from urllib.parse import unquote_plus

    first, second = both
    names = [unquote_plus(one.partition("=")[0]) for one in first]
    rule = KeyRule(sort=True)
    if len(set(names)) == len(names):
        assert rule.normal_query("&".join(first)) == rule.normal_query("&".join(second))


@given(st.lists(st.sampled_from(["a=1", "a=2", "b=1"]), max_size=6))
def test_values_of_one_name_keep_their_order(parameters):
    sorted_ = KeyRule(sort=True).normal_query("&".join(parameters)).split("&")
    assert [one for one in sorted_ if one[:1] == "a"] == [one for one in parameters if one[:1] == "a"]
