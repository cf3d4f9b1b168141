"""The history checker: each invariant, what breaks it, and what does not."""

import json
from math import inf
from pathlib import Path

import pytest

from experiments.harness.cli import main
from results.history import BACKWARDS, INVENTED, LOST, STALE, History, HistoryError, Operation, check, parse


def put(version: int | None, begin_s: float, end_s: float, value: str | None = None, ok: bool = True) -> Operation:
    return Operation("put", "k", value or f"v{version}", version, begin_s, end_s, ok)


def get(version: int, begin_s: float, end_s: float, source: str = "zone0", value: str | None = None) -> Operation:
    return Operation("get", "k", value or (f"v{version}" if version else None), version, begin_s, end_s, source=source)


def truth(version: int, value: str | None = None) -> Operation:
    return Operation("truth", "k", value or f"v{version}", version, end_s=inf)


def lost(at_s: float) -> Operation:
    return Operation("lost", source="zone0", begin_s=at_s)


@pytest.mark.parametrize(
    ("name", "operations", "broken"),
    [
        ("a write, a read", [put(1, 0, 1), get(1, 2, 3), truth(1)], []),
        ("a later write that was not acknowledged may be there", [put(1, 0, 1), put(2, 2, 3, ok=False), truth(2)], []),
        ("an acknowledged write is gone", [put(1, 0, 1), put(2, 2, 3), truth(1)], [LOST]),
        ("the row is gone", [put(1, 0, 1)], [LOST]),
        ("the version is there with another value", [put(1, 0, 1), truth(1, "other")], [LOST, INVENTED]),
        ("a row that nobody wrote", [put(1, 0, 1), truth(2, "other")], [INVENTED]),
        ("a row that nobody asked for", [truth(2, "other")], [INVENTED]),
        ("a row of a write that was not acknowledged", [put(2, 5, 6, ok=False), truth(2)], []),
        ("a value that nobody wrote", [put(1, 0, 1), get(1, 2, 3, value="x"), truth(1)], [INVENTED]),
        ("a value before its write began", [get(1, 0, 1), put(1, 2, 3), truth(1)], [INVENTED]),
        ("a value while its write is under way", [put(1, 0, 5), get(1, 1, 2), truth(1)], []),
        ("a write whose version was not told", [put(None, 0, 1, "x", ok=False), get(7, 1, 2, value="x")], []),
        ("an old value within the bound", [put(1, 0, 1), put(2, 2, 3), get(1, 12.9, 13), truth(2)], []),
        ("an old value after the bound", [put(1, 0, 1), put(2, 2, 3), get(1, 13.1, 14), truth(2)], [STALE]),
        ("an absence after the bound", [put(1, 0, 1), get(0, 12, 13), truth(1)], [STALE]),
        ("the older of two writes that ended the other way", [put(2, 0, 1), put(1, 0, 2), get(1, 13, 14), truth(2)], [STALE]),
        ("a replica goes back", [put(1, 0, 1), put(2, 1, 2), get(2, 3, 4), get(1, 4.5, 5), truth(2)], [BACKWARDS]),
        ("reads that overlap", [put(1, 0, 1), put(2, 1, 2), get(2, 3, 4), get(1, 3.5, 5), truth(2)], []),
        ("two replicas", [put(1, 0, 1), put(2, 1, 2), get(2, 3, 4), get(1, 4.5, 5, "zone1"), truth(2)], []),
        ("back before a write that failed",
         [put(1, 0, 1), put(2, 1, 2, ok=False), get(2, 3, 4), get(1, 5, 6), truth(1)], [BACKWARDS]),
        ("back where no replica is",
         [put(1, 0, 1), put(2, 1, 2), get(2, 3, 4, "truth"), get(1, 4.5, 5, "truth"), truth(2)], []),
        ("a replica that lost everything", [put(1, 0, 1), put(2, 1, 2), get(2, 3, 4), lost(4.2), get(1, 4.5, 5), truth(2)], []),
        ("and goes back afterwards",
         [put(1, 0, 1), put(2, 1, 2), lost(2.5), get(2, 3, 4), get(1, 4.5, 5), truth(2)], [BACKWARDS]),
    ],
)  # fmt: skip
def test_histories(name: str, operations: list[Operation], broken: list[str]) -> None:
    assert [one.invariant for one in check(History(10, tuple(operations)))] == broken


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"bound_s": NaN}', "bound_s nan is no number"),
        ('{"bound_s": -1}', "below zero"),
        ('{"bound_s": 1}\n{"op":"lost","source":"zone0","begin_s":Infinity}\n', "line 2"),
        ('{"bound_s": 1}\n{"op":"get","key":"k","value":[1],"version":1,"begin_s":0,"end_s":1}\n', "is no text"),
        ('{"bound_s": 1}\n{"op":"put","key":"k","value":"","version":1,"begin_s":0,"end_s":1,"ok":"false"}\n', "neither true"),
        ("", "empty"),
        ("{}\n", "line 1"),
        ('{"bound_s": 1}\nnot JSON\n', "line 2"),
        ('{"bound_s": 1}\n{"op": "jump"}\n', "op 'jump' is none of put"),
        ('{"bound_s": 1}\n{"op":"get","key":"k","value":null,"version":"1","begin_s":0,"end_s":1}\n', "no whole number"),
        ('{"bound_s": 1}\n{"op":"get","key":"k","value":null,"version":1,"begin_s":2,"end_s":1}\n', "ends before"),
        ('{"bound_s": 1}\n{"op":"put","key":"k","value":"","version":null,"begin_s":0,"end_s":1,"ok":true}\n', "has a version"),
    ],
)
def test_a_line_that_is_no_operation_is_named(text: str, words: str) -> None:
    with pytest.raises(HistoryError, match=words):
        parse(text.splitlines())


def test_the_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "history.jsonl"
    written = {"op": "put", "key": "k", "value": "v", "version": 1, "begin_s": 0, "end_s": 1, "ok": True}
    row = {"op": "truth", "key": "k", "value": "v", "version": 1}
    path.write_text("\n".join(map(json.dumps, [{"bound_s": 2}, written, row])))
    assert main(["check-history", str(path)]) == 0
    assert "2 operations, bound 2 s\nholds: no acknowledged write" in capsys.readouterr().out
    path.write_text("\n".join(map(json.dumps, [{"bound_s": 2}, written])))
    assert main(["check-history", str(path), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["violations"][0]["invariant"] == LOST
    path.write_text("nonsense")
    assert main(["check-history", str(path)]) == 2
    assert main(["check-history", str(tmp_path / "none")]) == 2
    assert "could not read the history" in capsys.readouterr().err
