"""The metadata behind a body: read as it was written, or refused."""

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from storekit import response

from nodes.edge.store import scan
from nodes.edge.store.digests import PART_BYTES, Digests, digest
from nodes.edge.store.names import file_name, folder_of, name_of, prefix_of, primary_of, variant_key
from nodes.edge.store.record import FOOTER_BYTES, MAGIC, PAD_BYTES, RecordError, _checksum, decode, encode
from nodes.edge.stored import Part, Stored

BODY = 1000
EXAMPLE = response("/a", size_bytes=2000, parts=(Part(0, 600, digest(b"x")), Part(700, 400, digest(b"y"))))
TAIL = encode(EXAMPLE, 7)

TEXTS = st.text(max_size=20)
FIELDS = st.lists(st.tuples(TEXTS, TEXTS), max_size=4).map(tuple)
TIMES = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def responses(draw: st.DrawFn) -> Stored:
    parts, end = [], 0
    for gap, length in draw(st.lists(st.tuples(st.integers(0, 9), st.integers(1, PART_BYTES)), max_size=4)):
        parts.append(Part(end + gap, length, draw(st.binary(min_size=16, max_size=16))))
        end += gap + length
    return response(draw(TEXTS), fields=draw(FIELDS), vary=draw(FIELDS), reason=draw(TEXTS), uri=draw(TEXTS),
                    requested_s=draw(TIMES), received_s=draw(TIMES), parts=tuple(parts),
                    size_bytes=draw(st.none() | st.integers(end, end + 5)))  # fmt: skip


@given(responses(), st.integers(0, 1 << 40), st.integers(0, 2000))
def test_what_is_written_is_read(stored: Stored, purges: int, room: int) -> None:
    tail = encode(stored, purges, room)
    body = sum(part.length for part in stored.parts)
    assert decode(tail, body + len(tail)) == (stored, purges)
    assert len(tail) % PAD_BYTES == 0
    assert len(tail) >= room


@given(st.integers(0, len(TAIL) * 8 - 1))
def test_every_bit_counts(bit: int) -> None:
    spoiled = bytearray(TAIL)
    spoiled[bit // 8] ^= 1 << bit % 8
    with pytest.raises(RecordError):
        decode(bytes(spoiled), BODY + len(spoiled))


@given(st.binary(max_size=200), st.integers(0, 1 << 64), st.booleans())
def test_any_bytes_are_refused_without_another_error(data: bytes, file_bytes: int, whole: bool) -> None:
    with pytest.raises(RecordError):
        decode(data + TAIL[-FOOTER_BYTES:], file_bytes)
    with pytest.raises(RecordError):
        decode(data, len(data) if whole else file_bytes)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from([*json.loads(TAIL[:-FOOTER_BYTES])]), JSON)
def test_metadata_of_another_shape_with_a_right_checksum_is_refused_or_exactly_what_it_says(name: str, value: object) -> None:
    given = json.loads(TAIL[:-FOOTER_BYTES]) | {name: value}
    text = json.dumps(given).encode()
    tail = text + struct.pack("<8sQQ16s", MAGIC, BODY, len(text), _checksum(BODY, text))
    try:
        stored, purges = decode(tail, BODY + len(tail))
    except RecordError:
        return
    assert json.loads(encode(stored, purges)[:-FOOTER_BYTES]) == given


@pytest.mark.parametrize("text", [b"[]", b"{}", b"null", b"1", b"\xff", b"", b"[" * 100_000, b'{"key":NaN}'])
def test_metadata_that_is_no_metadata_is_refused(text: bytes) -> None:
    with pytest.raises(RecordError):
        decode(text + struct.pack("<8sQQ16s", MAGIC, 0, len(text), _checksum(0, text)), len(text) + FOOTER_BYTES)


@pytest.mark.parametrize("cut", [1, FOOTER_BYTES - 1, FOOTER_BYTES, len(TAIL) - 1])
def test_a_tail_that_is_cut_or_lengthened_is_refused(cut: int) -> None:
    for tail in (TAIL[:-cut], TAIL[cut:], TAIL + bytes(cut)):
        with pytest.raises(RecordError):
            decode(tail, BODY + len(tail))
    with pytest.raises(RecordError):
        decode(TAIL, BODY + len(TAIL) + cut)


@given(st.lists(st.integers(0, 3 * PART_BYTES), max_size=4), st.integers(0, 1 << 40))
def test_digests_cut_at_a_mebibyte_however_the_bytes_come(pieces: list[int], start: int) -> None:
    digests, data = Digests(), b"\x05" * sum(pieces)
    digests.at(start)
    for length in pieces:
        digests.update(b"\x05" * length)
    parts = digests.parts()
    assert [part.start for part in parts] == list(range(start, start + len(data), PART_BYTES))
    assert sum(part.length for part in parts) == len(data)
    assert all(part.digest == digest(b"\x05" * part.length) for part in parts)


def test_variants_of_one_resource_lie_together_and_others_apart() -> None:
    plain, gzip = name_of("/a"), name_of(variant_key("/a", [("accept-encoding", "gzip")]))
    assert plain != gzip
    assert {folder_of(file_name(plain)), folder_of(file_name(gzip))} == {folder_of(prefix_of("/a"))}
    assert file_name(gzip).startswith(prefix_of("/a"))
    assert not file_name(name_of("/b")).startswith(prefix_of("/a"))
    assert primary_of(variant_key("/a", [("x", "1"), ("y", "2")])) == "/a"


def test_a_key_of_any_text_has_a_name() -> None:
    assert scan.number(file_name(name_of("/\ud800\xff"))) == name_of("/\ud800\xff")


@pytest.mark.parametrize("file", ["", "0" * 31, "0" * 33, "0x" + "0" * 30, "A" * 32, "g" * 32, "1_" * 16, "１" * 32])
def test_what_is_no_name_is_not_taken_for_one(file: str) -> None:
    assert scan.number(file) is None


def test_the_scanner_which_imports_nothing_knows_the_footers_length() -> None:
    assert scan.LEAST_BYTES == FOOTER_BYTES
