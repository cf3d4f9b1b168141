"""memcached's meta protocol: answers from bytes, however they are cut, and what is refused as garbage."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.evcache.memcached import meta, stats
from nodes.evcache.memcached.meta import Answer, Garbage, Reader

SAID = (b"VA 3 c2 t10 W\r\nabc\r\nHD\r\nEN\r\nVA 0 c1 t-1 Z X\r\n\r\nNS\r\nEX c5\r\nNF\r\nMN\r\n"
        b"SERVER_ERROR out of memory storing object\r\nVA 4\r\n\r\n\r\n\r\nHD c7\r\n")  # fmt: skip
MEANT = [
    Answer(b"VA", (b"c2", b"t10", b"W"), b"abc"), Answer(b"HD", ()), Answer(b"EN", ()),
    Answer(b"VA", (b"c1", b"t-1", b"Z", b"X"), b""), Answer(b"NS", ()), Answer(b"EX", (b"c5",)), Answer(b"NF", ()),
    Answer(b"MN", ()), Answer(b"SE", (b"out of memory storing object",)), Answer(b"VA", (), b"\r\n\r\n"),
    Answer(b"HD", (b"c7",)),
]  # fmt: skip


@given(st.lists(st.integers(0, len(SAID)), max_size=12))
def test_answers_do_not_depend_on_how_they_are_cut(cuts: list[int]) -> None:
    reader, at, heard = Reader(), 0, []
    for cut in [*sorted(cuts), len(SAID)]:
        heard += reader.feed(SAID[at:cut])
        at = cut
    assert heard == MEANT
    assert reader.waiting_bytes == 0


def test_flags_have_names() -> None:
    first, placeholder = MEANT[0], MEANT[3]
    assert (first.number(b"c"), first.number(b"t"), first.number(b"s"), first.won, first.stale) == (2, 10, None, True, False)
    assert (placeholder.number(b"t"), placeholder.being_made, placeholder.stale) == (-1, True, True)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n", "is no answer"),
        (b"ERROR\r\n", "is no answer"),
        (b"CLIENT_ERROR bad data chunk\r\n", "is no answer"),
        (b"\x81\x00\x00\x00\n", "does not end"),
        (b"x" * 3000, "does not end"),
        (b"VA\r\n", "no size"),
        (b"VA -1\r\n", "no size"),
        (b"VA 99999999999\r\n", "no size"),
        (b"VA 999999999\r\n", "no size"),
        (b"VA 3\r\nabcde\r\n", "ends with"),
        (b"HD cX\r\n", "'cX' has no number"),
        (b"VA 1 t\r\na\r\n", "'t' has no number"),
    ],
)
def test_garbage_is_not_taken_for_an_answer(said: bytes, words: str) -> None:
    with pytest.raises(Garbage, match=words):
        Reader().feed(b"HD\r\n" + said)


@given(st.binary(max_size=200))
def test_any_bytes_are_answers_or_garbage_or_unfinished(said: bytes) -> None:
    try:
        Reader().feed(said)
    except Garbage:
        return


def test_commands() -> None:
    assert meta.get(b"k", b"v c") == b"mg k v c\r\n"
    assert meta.put(b"k", b"abc", b"T9 C5") == b"ms k 3 T9 C5\r\nabc\r\n"
    assert meta.delete(b"k", b"C5") == b"md k C5\r\n"


def test_statistics_by_our_names() -> None:
    said = b"STAT pid 1\r\nSTAT version 1.6.18\r\nSTAT bytes 123\r\nSTAT extstore_objects_read 4\r\nEND\r\n"
    assert stats.parse(said) == {"evcache_ram_bytes": 123.0, "evcache_ssd_reads": 4.0}
    for wrong in (b"", b"ERROR\r\n", b"STAT bytes x\r\nEND\r\n", b"bytes 1\r\nEND\r\n", said[:-5]):
        with pytest.raises(Garbage):
            stats.parse(wrong)
