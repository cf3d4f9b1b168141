"""Which authorities a request may name (RFC 9110, section 4.2; RFC 3986, section 3.2.2)."""

import pytest

from nodes.http.target import parse_target, valid_authority


@pytest.mark.parametrize("text", ["a", "a:80", "a:", "1.2.3.4:65535", "[::1]", "[::1]:80", "[::ffff:1.2.3.4]", "%41"])
def test_a_host_may_have_a_port(text: str) -> None:
    assert valid_authority(text)
    assert parse_target("GET", f"http://{text}/") is not None


@pytest.mark.parametrize("text", ["", ":80", "a:65536", "a@b", "[::1", "[.]", "[:]", "[1:2]", "[1.2.3.4]", "[:::]", "[g::]"])
def test_what_is_in_brackets_is_an_address(text: str) -> None:
    assert not valid_authority(text)
    assert parse_target("GET", f"http://{text}/") is None
