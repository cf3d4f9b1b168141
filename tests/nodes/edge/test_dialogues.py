"""The edge against the standards: every dialogue in `dialogues/`, one after another, with one edge."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.nodes.edge.dialogue import Stage, answers, load, play
from tests.nodes.wirekit import Daemon, ScriptedOrigin

DIALOGUES = load()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One edge and its origin for all dialogues."""
    box: dict[str, Stage] = {}
    origin = ScriptedOrigin(lambda head, sock: answers(box, head, sock))
    cache = tmp_path_factory.mktemp("dialogues") / "cache"
    edge = Daemon("edge", "--origin", origin.url, "--cache", str(cache), "--capacity", "64MiB", "--name", "edge1",
                  "--origin-timeout", "2s")  # fmt: skip
    box["here"] = Stage(edge, origin)
    yield box["here"]
    edge.process.kill()
    edge.process.communicate()
    origin.close()


@pytest.mark.parametrize(("name", "dialogue"), DIALOGUES, ids=[f"{name}: {one['says']}" for name, one in DIALOGUES])
def test_dialogue(stage: Stage, name: str, dialogue: dict[str, Any]) -> None:
    play(stage, name, dialogue)


def test_every_file_holds_dialogues() -> None:
    files = {path.stem for path in (Path(__file__).parent / "dialogues").glob("*.toml")}
    assert {name.rpartition("-")[0] for name, _ in DIALOGUES} == files
