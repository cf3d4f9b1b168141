"""Wrong rules: each mistake is named with its line, key, value and what is allowed."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.edge.routing.rules import RulesError
from tests.nodes.routing.asking import rules

WRONG = [
    ("[[route]\n", ["line 1: ", "column"]),
    ('[[route]]\nprefix = "/\n', ["line 2: illegal character", "column"]),
    ('[[route]]\ndeny = 403\nprefix = [\n  "/a",\n', ["line 4: ", "the file ends"]),
    ("[[route]]\ndeny", ["line 2: expected '=' after a key", "the file ends"]),
    ("[[route]]\ndeny = 403\ndeny = 404\n[[route]]\n", ["line 3: cannot overwrite a value"]),
    ("", ["no [[route]]"]),
    ("route = 1\n", ["no [[route]]"]),
    ("[routes]\n", ["line 1", "'routes'", "did you mean route", "origins, route"]),
    ('[[route]]\nprefix = "/"\n\n[[route]]\nprefx = "/"\n', ["line 5", "route 2", "'prefx'", "did you mean prefix"]),
    ('[[route]]\nprefix = "a"\n', ["line 2", "'prefix'", "'a'", "begins with /"]),
    ("[[route]]\nprefix = 1\n", ["line 2", "'prefix'", "1", "a text in quotes or a list"]),
    ("[[route]]\nprefix = []\n", ["line 2", "not empty"]),
    ('[[route]]\nprefix = "/"\nglob = "/*"\n', ["line 3", "'glob'", "one of prefix, exact, glob, regex", "prefix is given"]),
    ('[[route]]\nregex = "("\n', ["line 2", "'('", "not a regular expression"]),
    ('[[route]]\nhost = "a:80"\n', ["line 2", "'a:80'", "without a port"]),
    ('[[route]]\nhost = "a.*"\n', ["line 2", "'a.*'", "*.example"]),
    ('[[route]]\nmethod = "G T"\n', ["line 2", "'G T'", '"GET"']),
    ('[[route]]\nclient = "192.0.2.1/24"\n', ["line 2", "'client'", "192.0.2.1/24", "host bits"]),
    ('[[route]]\nclient = ["localhost"]\n', ["line 2", "'localhost'", "192.0.2.0/24"]),
    ('[[route]]\nheader = "X-A"\n', ["line 2", "'header'", "a table"]),
    ('[[route]]\nheader.X-A = "b"\n', ["line 2", "'header.X-A'", "'b'", "a table"]),
    ("[[route]]\nheader.X-A = {}\n", ["line 2", "exactly one of present, equals, matches"]),
    ("[[route]]\nheader.X-A.matches = '['\n", ["line 2", "'header.X-A.matches'", "not a regular expression"]),
    ("[[route]]\nheader.X-A.is = 'b'\n", ["line 2", "'header.X-A.is'", "present, equals, matches"]),
    ('[[route]]\nheader."X A".present = true\n', ["line 2", "'X A'", "name of a header field"]),
    ('[[route]]\nheader.Host.equals = "a"\n', ["line 2", "'Host'", "the key host"]),
    ('[[route]]\nkey = { headers = ["X A"] }\n', ["line 2", "'key.headers'", "'X A'", "name of a header field"]),
    ('[[route]]\nkey = { headers = ["X-A", "TE"] }\n', ["line 2", "'key.headers'", "'TE'", "the origin sees"]),
    ('[[route]]\nkey = { headers = "host" }\n', ["line 2", "'key.headers'", "'host'", "the key host"]),
    ("[[route]]\nheader.upgrade.present = true\n", ["line 2", "'upgrade'", "the origin sees"]),
    ('[[route]]\norigin = "far"\n', ["line 2", "'far'", "default"]),
    ('[origins]\nfar = "far:80"\n[[route]]\n', ["line 2", "origins.far", "far:80", "http://"]),
    ("[origins]\nfar = 80\n[[route]]\n", ["line 2", "origins.far", "80", "https://HOST:PORT"]),
    ('[origins]\nfar = { server_name = "a" }\n[[route]]\n', ["line 2", "origins.far", "has no url"]),
    ('[origins]\nfar = { url = "http://a", server_name = "a" }\n[[route]]\n', ["line 2", "server_name", "not https://"]),
    ('[origins]\ndefault = "http://a"\n[[route]]\n', ["line 2", "origins.default", "--origin"]),
    ("[[route]]\npass = 1\n", ["line 2", "'pass'", "1", "true or false"]),
    ("[[route]]\ndeny = 200\n", ["line 2", "'deny'", "200", "400 to 599"]),
    ("[[route]]\ndeny = true\n", ["line 2", "'deny'", "true"]),
    ('[[route]]\ndeny = 403\norigin = "default"\n', ["line 3", "'origin'", "because deny answers"]),
    ('[[route]]\ndeny = 403\nredirect = { to = "/" }\n', ["line 3", "'redirect'", "because deny answers"]),
    ("[[route]]\nredirect = { status = 301 }\n", ["line 2", "no target"]),
    ('[[route]]\nredirect = { status = 303, to = "/" }\n', ["line 2", "'redirect.status'", "303", "301, 302, 307, 308"]),
    ('[[route]]\nredirect = { to = "//{path}" }\n', ["line 2", "'redirect.to'", "absolute URL"]),
    ('[[route]]\nredirect = { to = "{path}" }\n', ["line 2", "'redirect.to'", "absolute URL"]),
    ('[[route]]\nredirect = { to = "/{pth}" }\n', ["line 2", "'{pth}'", "{path}"]),
    ('[[route]]\nredirect = { to = "/a b" }\n', ["line 2", "without spaces"]),
    ('[[route]]\npass = true\n[route.key]\nquery = "none"\n', ["line 3", "'key'", "stores nothing"]),
    ('[[route]]\n[route.key]\nquery = "some"\n', ["line 3", "'key.query'", "'some'", '"all" or "none"']),
    ('[[route]]\nkey = { keep = "a", drop = "b" }\n', ["line 2", "'key.drop'", "not both"]),
    ('[[route]]\n[route.key]\nquery = "none"\nsort = true\n', ["line 4", "'key.sort'", 'query is "none"']),
    ("[[route]]\n[route.freshness]\nttl = 60\n", ["line 3", "'freshness.ttl'", "60", "10min"]),
    ('[[route]]\n[route.freshness]\nttl = "60"\n', ["line 3", "'freshness.ttl'", "has no unit"]),
    ('[[route]]\n[route.freshness]\nttl = "-1s"\n', ["line 3", "'-1s'"]),
    ('[[route]]\n[route.freshness.status]\n40 = "1s"\n', ["line 3", "'40'", "from 200 to 999"]),
    ('[[route]]\n[route.freshness.status]\n404 = "1"\n', ["line 3", "'freshness.status.404'", "has no unit"]),
    ('[[route]]\n[route.request]\nset.Host = "a"\n', ["line 3", "'Host'", "preserve_host"]),
    ('[[route]]\n[route.response]\nremove = "Content-Length"\n', ["line 3", "'response.remove'", "'Content-Length'"]),
    ('[[route]]\n[route.response]\nset.X-A = "{client}"\n', ["line 3", "'response.set.X-A'", "{client}"]),
    ('[[route]]\n[route.request]\nset.X-A = "a\\r\\nb"\n', ["line 3", "'request.set.X-A'", "without line breaks"]),
    ('[[route]]\n[route.request]\nset.X-A = "ok"\n[route.response]\nset.X-A = 1\n', ["line 5", "'response.set.X-A'", "1"]),
    ('[[route]]\nheader.X-A.present = true\n[route.request.set]\nX-A = 1\n', ["line 4", "'request.set.X-A'"]),
    ('[[route]]\nkey.host = true\nhost = "a:1"\n', ["line 3", "'host'"]),
    ('[[route]]\nkey.host = 1\nhost = "a"\n', ["line 2", "'key.host'"]),
    ("[[route]]\nheader.A = { equals = 'x', present = 1 }\n", ["line 2", "exactly one"]),
    ('# prefix = "x"\n[[route]]\n# prefix = "y"\nprefix = "z"\n', ["line 4", "'z'"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "words"), WRONG)
def test_an_error_names_line_key_value_and_what_is_allowed(text, words):
    with pytest.raises(RulesError) as caught:
        rules(text)
    for word in words:
        assert word in str(caught.value)


def test_without_an_origin_the_error_says_how_to_give_one():
    with pytest.raises(RulesError, match=r"allowed is a name of an \[origins\] table or default with --origin URL"):
        rules("[[route]]\n", default=None)
    with pytest.raises(RulesError, match="allowed is images or default with --origin URL"):
        rules('[origins]\nimages = "http://a"\n[[route]]\n', default=None)


GOOD = ["", 'prefix = "/a"\nhost = ["a", "b"]\n', '[route.key]\nsort = true\n', '[route.request]\nset.X-A = "1"\n',
        'header.X-B.equals = "deny"\n# deny = 1\n', 'freshness = { ttl = "1s" }\n']  # fmt: skip


@given(st.lists(st.sampled_from(GOOD), max_size=4), st.lists(st.sampled_from(GOOD), max_size=4))
def test_the_line_is_right_wherever_the_mistake_stands(before, after):
    start = "".join(f"[[route]]\n{one}" for one in before) + "[[route]]\n\n"
    text = start + "deny = 9\n" + "".join(f"[[route]]\n{one}" for one in after)
    with pytest.raises(RulesError) as caught:
        rules(text)
    assert str(caught.value).startswith(f"line {start.count(chr(10)) + 1}: route {len(before) + 1}, key 'deny' is 9")


TOML = st.recursive(st.one_of(st.booleans(), st.integers(-9, 999), st.sampled_from(['"/"', '"a"', '"1s"', '"GET"', '""'])),
                    lambda inner: st.lists(inner, max_size=2), max_leaves=4)  # fmt: skip
KEYS = st.sampled_from(["prefix", "exact", "glob", "regex", "host", "method", "client", "header", "header.X", "origin", "pass",
                        "deny", "redirect.to", "redirect.status", "key.keep", "key.query", "freshness.ttl", "request.set.A",
                        "freshness.status", "preserve_host", "response.remove", "header.X.equals", "key.headers", "z"])


@given(st.dictionaries(KEYS, TOML, max_size=4))
def test_any_toml_makes_rules_or_a_rules_error(given_):
    def shown(value):
        if isinstance(value, list):
            return "[" + ", ".join(map(shown, value)) + "]"
        return str(value).lower() if isinstance(value, bool) else str(value)

    text = "[[route]]\n" + "".join(f"{key} = {shown(value)}\n" for key, value in given_.items())
    assert _said(text).startswith("line " if _is_toml(text) else "")


def _said(text):
    try:
        rules(text)
    except RulesError as error:
        return str(error)
    return "line 0: right"


def _is_toml(text):
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True
