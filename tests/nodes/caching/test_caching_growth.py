"""Cache-Control costs no more time than its length is worth."""

import pytest

from nodes.edge.caching import directives
from tests.nodes.growth import growth


@pytest.mark.parametrize("member", ["private,", "private=a,", 'private="a",', 'x="', "a=\\,"])
def test_one_line_of_repeats_is_read_in_linear_time(member: str) -> None:
    assert growth(lambda count: [member * count], directives.parse, 4000) < 24


def test_many_lines_of_repeats_are_read_in_linear_time() -> None:
    assert growth(lambda count: ["private," * 25] * count, directives.parse, 100) < 24


def test_every_occurrence_is_kept_in_order() -> None:
    assert directives.parse(["private=a, private=b", 'private="c, d"']).names("private") == ("a", "b", "c", "d")
