"""Structured fields: RFC 9651, section 4.2."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.http.structured import Date, DisplayString, Malformed, Token, parse_dictionary, parse_list


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("42", 42), ("-42", -42), ("0", 0), ("007", 7), ("-0", 0), ("999999999999999", 999999999999999),
        ("4.5", Decimal("4.5")), ("-4.500", Decimal("-4.5")), ("999999999999.999", Decimal("999999999999.999")),
        ('"a b"', "a b"), ('"a\\"b\\\\"', 'a"b\\'), ('""', ""),
        ("foo123/456", Token("foo123/456")), ("*a", Token("*a")), ("A:b", Token("A:b")),
        ("?1", True), ("?0", False), (":aGVsbG8=:", b"hello"), (":aGVsbG8:", b"hello"), ("::", b""),
        ("@1659578233", Date(1659578233)), ("@-1", Date(-1)), ('%"f%c3%bc"', DisplayString("fü")), ("  7  ", 7),
    ],
)  # fmt: skip
def test_4_2_3_items(text: str, value: Any) -> None:
    ((found, parameters),) = parse_list(text)
    assert (type(found), found, parameters) == (type(value), value, {})


@pytest.mark.parametrize(
    "text",
    ["&", "--1", "1.", ".5", "1.2345", "1234567890123.4", "1234567890123456", '"a', '"ü"', '"a\\b"', "?2", "?", ":a b:", ":=a:",
     ":a:", "@", "@1.5", "@x", '%"%C3%BC"', '%"%c3"', '%"%zz"', '"a\tb"', "1 2", "a,", ",a", "a,,b", "(1", "(1,2)", "1)",
     "(1\t2)", "a;", "a;A", "a;b=", "\ta", '(1 2"a")', "a;\tb"],
)  # fmt: skip
def test_4_2_one_fault_and_the_field_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        parse_list(text)


def test_4_2_1_lists() -> None:
    assert parse_list("") == []
    assert parse_list('a, "b"\t,\t1;x;y=2;x=3') == [(Token("a"), {}), ("b", {}), (1, {"y": 2, "x": 3})]
    assert parse_list("(a  b;q=1 );z, ()") == [(((Token("a"), {}), (Token("b"), {"q": 1})), {"z": True}), ((), {})]


def test_4_2_2_dictionaries() -> None:
    assert parse_dictionary("") == {}
    assert parse_dictionary('a=1, b;x, c=?0, d=(1 2), a="z"') == {
        "b": (True, {"x": True}), "c": (False, {}), "d": (((1, {}), (2, {})), {}), "a": ("z", {}),
    }  # fmt: skip
    assert list(parse_dictionary("a=1, b, a=2")) == ["b", "a"]


@pytest.mark.parametrize("text", ["a=", "A=1", "a =1", "a= 1", "a=1,", "=1", "1", "a=1 b=2", "a=1,,b"])
def test_4_2_2_malformed_dictionaries(text: str) -> None:
    with pytest.raises(Malformed):
        parse_dictionary(text)


@given(st.text(alphabet='ab1,;="()?:@%.- \\\t*é', max_size=24))
def test_no_text_breaks_the_parser(text: str) -> None:
    for parse in (parse_list, parse_dictionary):
        try:
            parse(text)
        except Malformed:
            continue


@given(st.lists(st.text(alphabet=st.characters(min_codepoint=0x20, max_codepoint=0x7E)), max_size=40))
def test_strings_come_back_as_they_were_written(values: list[str]) -> None:
    text = ", ".join('"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values)
    assert [value for value, _ in parse_list(text)] == values
