"""Which route is taken: every kind of condition as a table, and that no spelling of a path evades a rule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.edge.routing.normal_path import normal_path
from tests.nodes.routing.asking import ask, only, rules, taken

CONDITIONS = [
    # condition,                            request that it is for,                     request that it is not for
    ('prefix = "/a/"', ask("/a/x"), ask("/a")),
    ('prefix = ["/a", "/b"]', ask("/bc?q"), ask("/c")),
    ('prefix = "/~user"', ask("/%7euser/x"), ask("/user")),
    ('exact = "/a"', ask("/a?x=1"), ask("/a/")),
    ('exact = ["/", "/i.html"]', ask("/"), ask("/x")),
    ('exact = "*"', ask("*", method="OPTIONS"), ask("/")),
    ('glob = "/v/*/s-??.m4s"', ask("/v/a/s-01.m4s"), ask("/v/a/b/s-01.m4s")),
    ('glob = "/v/**.m4s"', ask("/v/a/b/s.m4s"), ask("/v/a/b/s.mp4")),
    ('glob = "/a.b+(c)"', ask("/a.b+(c)"), ask("/aXb+(c)")),
    (r"regex = '\.(jpe?g|png)$'", ask("/x.jpg"), ask("/x.jpg/y")),
    ('regex = ["^/a", "z$"]', ask("/xz"), ask("/zx")),
    ('host = "www.example"', ask("/", "WWW.Example:8080"), ask("/", "example")),
    ('host = "*.example"', ask("/", "a.b.example"), ask("/", "example")),
    ('host = "*.example"', ask("/", "img.example:80"), ask("/", "notexample")),
    ('host = ["x", "*.example"]', ask("/", "x"), ask("/", "y")),
    ('host = "[::1]"', ask("/", "[::1]:8080"), ask("/", "[::2]:8080")),
    ('method = ["GET", "HEAD"]', ask(method="HEAD"), ask(method="POST")),
    ('method = "PURGE"', ask(method="PURGE"), ask(method="purge")),
    ("header.X-A.present = true", ask("/", "a", ("x-a", "")), ask()),
    ("header.X-A.present = false", ask(), ask("/", "a", ("x-a", "1"))),
    ('header.X-A.equals = "b"', ask("/", "a", ("X-a", "b")), ask("/", "a", ("X-A", "bb"))),
    ('header.X-A.equals = ["b", "b, c"]', ask("/", "a", ("X-A", "b"), ("X-A", "c")), ask("/", "a", ("X-A", "c"))),
    ("header.X-A.matches = '^d'", ask("/", "a", ("X-A", "de")), ask("/", "a", ("X-A", "ed"))),
    ("header.X-A.matches = '^$'\nheader.B.present = true", ask("/", "a", ("X-A", ""), ("B", "")), ask("/", "a", ("B", ""))),
    ("header.X-A.present = true", ask("/", "a", ("X-A", "1")), ask("/", "a", ("X-A", "1"), ("Connection", "close, x-a"))),
    ("header.X-A.present = false", ask("/", "a", ("X-A", "1"), ("Connection", "X-A")), ask("/", "a", ("X-A", "1"))),
    ('client = "192.0.2.0/24"', ask(client="192.0.2.255:1"), ask(client="192.0.3.1:1")),
    ('client = "192.0.2.7"', ask(client="192.0.2.7:1"), ask(client="192.0.2.8:1")),
    ('client = ["2001:db8::/32"]', ask(client="[2001:db8::1]:1"), ask(client="192.0.2.1:1")),
    ('client = "192.0.2.0/24"', ask(client="[::ffff:192.0.2.1]:1"), ask(client="-")),
    ('client = "fe80::/10"', ask(client="[fe80::1%eth0]:1"), ask(client="[::1]:1")),
    ('prefix = "/a"\nhost = "h"\nmethod = "GET"', ask("/a", "h"), ask("/a", "h", method="PUT")),
    ('prefix = "/a"\nhost = "h"\nmethod = "GET"', ask("/a", "h"), ask("/a", "i")),
]  # fmt: skip


@pytest.mark.parametrize(("condition", "meant", "other"), CONDITIONS)
def test_a_condition_is_for_these_requests_and_not_for_those(condition, meant, other):
    text = f"[[route]]\n{condition}\n"
    assert (taken(text, meant), taken(text, other)) == (0, None)


def test_a_route_without_conditions_is_for_every_request():
    assert taken("[[route]]\n", ask("*", method="OPTIONS")) == 0


def test_the_first_route_that_matches_is_taken():
    text = '[[route]]\nprefix="/a/"\n[[route]]\nhost="*.example"\n[[route]]\nprefix="/"\n'
    assert [taken(text, ask(*one)) for one in (("/a/x", "w.example"), ("/b", "w.example"), ("/b", "w"))] == [0, 1, 2]


@pytest.mark.parametrize(
    "path", ["/private/x", "/%70rivate/x", "/./private/x", "/a/../private/x", "/%2e/private/x", "/a/%2E%2e/private/x",
             "/../private/x"],
)  # fmt: skip
def test_no_spelling_of_a_path_evades_a_rule(path):
    assert taken('[[route]]\nprefix="/private/"\ndeny=403\n[[route]]\n', ask(path)) == 0


def test_an_encoded_slash_is_not_a_slash():
    assert normal_path("/a%2fb") == "/a%2Fb"


@given(st.text("/.%2eEaA~0", max_size=20).map("/{}".format))
def test_a_normal_path_is_normal_and_has_no_dot_segments(path):
    once = normal_path(path)
    assert once.startswith("/")
    assert not {".", ".."} & set(once.split("/")) or "%" in path


@given(st.lists(st.sampled_from(["a", "..", ".", "b.c", ""]), max_size=8).map(lambda parts: "/" + "/".join(parts)))
def test_dot_segments_are_removed_once_and_for_all(path):
    once = normal_path(path)
    assert normal_path(once) == once
    assert not {".", ".."} & set(once.split("/"))


def test_what_depends_on_the_client_says_so():
    text = '[[route]]\nprefix="/a"\n[[route]]\nclient="192.0.2.0/24"\nprefix="/b"\n[[route]]\n'
    found = rules(text)
    assert found.by_client
    assert [route.by_client for route in found.routes] == [False, True, True], "behind it, too: another client comes so far"
    assert not rules("[[route]]\n").by_client


@pytest.mark.parametrize(
    ("text", "to"),
    [('to = "https://{host}{path}{?query}"', "https://www.example/a?b=1"), ('to = "/new{path}"', "/new/a"),
     ('to = "{scheme}://x/?q={query}"', "http://x/?q=b=1"), ('to = "/{{{method}}}"', "/{GET}")],
)  # fmt: skip
def test_a_redirect_is_filled_in_with_the_request(text, to):
    from nodes.edge.routing.rules import values

    route = only(f"redirect = {{ status = 307, {text} }}")
    assert route.redirect is not None
    assert (route.redirect.status, route.redirect.location(values(ask("/a?b=1")))) == (307, to)


@pytest.mark.parametrize("to", ["/{path}", "/{?query}{path}", "/{query}{path}"])
def test_a_redirect_to_a_path_leads_to_no_other_host(to):
    from nodes.edge.routing.rules import values

    route = only(f'redirect = {{ to = "{to}" }}')
    assert route.redirect is not None
    assert route.redirect.location(values(ask("//evil.example/a"))) == "/evil.example/a"


def test_a_redirect_is_302_when_nothing_is_said():
    route = only('redirect = { to = "/x" }')
    assert route.redirect is not None
    assert route.redirect.status == 302


def test_a_denial_has_its_status():
    assert only("deny = 451").deny == 451
