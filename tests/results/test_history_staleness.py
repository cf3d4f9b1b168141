"""How stale reads were, as tables."""

import pytest

from results.history import Operation
from results.staleness import stale_s


def put(version: int, end_s: float, key: str = "k", ok: bool = True) -> Operation:
    return Operation("put", key, f"v{version}", version, end_s - 1, end_s, ok)


def get(version: int, begin_s: float, key: str = "k") -> Operation:
    return Operation("get", key, f"v{version}", version, begin_s, begin_s + 0.1)


@pytest.mark.parametrize(
    ("name", "operations", "stale"),
    [
        ("nothing written", [get(0, 5)], [0]),
        ("the newest", [put(1, 1), put(2, 2), get(2, 5)], [0]),
        ("one behind", [put(1, 1), put(2, 2), get(1, 5)], [3]),
        ("two behind: since the first of them", [put(1, 1), put(2, 2), put(3, 4), get(1, 5)], [3]),
        ("a write that ends later", [put(1, 1), put(2, 6), get(1, 5)], [0]),
        ("a write that was not acknowledged", [put(1, 1), put(2, 2, ok=False), get(1, 5)], [0]),
        ("an older version that was acknowledged later", [put(2, 1), put(1, 2), get(2, 5)], [0]),
        ("another key", [put(1, 1), put(2, 2, "other"), get(1, 5)], [0]),
        ("in the order of their begins", [put(1, 1), put(2, 2), get(1, 5), get(1, 3), get(2, 4)], [1, 0, 3]),
    ],
)
def test_a_read_is_stale_since_the_first_newer_write(name: str, operations: list[Operation], stale: list[float]) -> None:
    assert [late for _, late in stale_s(operations)] == stale
