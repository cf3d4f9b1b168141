"""Routing rules: which route is taken, and errors that say where."""

from pathlib import Path

import pytest

import nodes.edge
from nodes.edge.rules import Origin, RulesError, origin, parse
from nodes.http.message import Fields, Request

DEFAULT = Origin("127.0.0.1", 9000)


def ask(path: str, host: str = "a") -> Request:
    return Request("GET", path, "1.1", Fields([("Host", host)]), path, "")


def test_the_default_rules_cache_everything_from_the_default_origin() -> None:
    text = (Path(nodes.edge.__file__).parent / "default_rules.toml").read_text(encoding="utf-8")
    route = parse(text, DEFAULT).route(ask("/anything"))
    assert route is not None
    assert (route.origin, route.cache, route.preserve_host) == (DEFAULT, True, False)


def test_the_first_route_that_matches_is_taken() -> None:
    rules = parse('[[route]]\nprefix="/a/"\ncache=false\n[[route]]\nhost="*.example"\nprefix="/"\n', DEFAULT)
    assert [rules.route(ask(path, host)) for path, host in (("/a/x", "any"), ("/b", "img.Example:80"))] == rules.routes
    assert rules.route(ask("/b", "example")) is None
    assert rules.route(ask("/b", "notexample")) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[route]\n", ["line 1"]),
        ("", ["[[route]]"]),
        ("[routes]\n", ["line 1", "'routes'", "origins and route"]),
        ('[[route]]\nprefix = "/"\n\n[[route]]\nprefx = "/"\n', ["line 5", "route 2", "'prefx'", "prefix"]),
        ('[[route]]\ncache = "yes"\n', ["line 2", "'cache'", "'yes'", "true or false"]),
        ('[[route]]\nprefix = "a"\n', ["line 2", "'a'", "begins with /"]),
        ('[[route]]\norigin = "far"\n', ["line 2", "'far'", "default"]),
        ('[origins]\nfar = "far:80"\n[[route]]\n', ["line 2", "origins.far", "far:80", "http://"]),
        ("[origins]\nfar = 80\n[[route]]\n", ["line 2", "origins.far", "80"]),
    ],
)
def test_an_error_names_line_and_key_and_what_is_allowed(text: str, words: list[str]) -> None:
    with pytest.raises(RulesError) as caught:
        parse(text, DEFAULT)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    "url", ["x", "https://a", "http://", "http://a:b", "http://a:99999", "http://a/path", "http://u@a"]
)
def test_what_is_no_origin_is_refused(url: str) -> None:
    with pytest.raises(RulesError):
        origin(url)


def test_an_origin_knows_its_host_field() -> None:
    assert [origin(url).authority for url in ("http://a", "http://a:80", "http://a:81", "http://[::1]:9/")] == [
        "a", "a", "a:81", "[::1]:9"]  # fmt: skip
