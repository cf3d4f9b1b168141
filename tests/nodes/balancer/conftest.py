"""A balancer in front of scripted nodes, which end with the test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.nodes.balancer.balancerkit import Balanced, Node
from tests.nodes.wirekit import Daemon, ScriptedOrigin


@pytest.fixture
def balanced(start: Callable[..., Daemon], script: Callable[..., ScriptedOrigin], tmp_path: Path) -> Callable[..., Balanced]:
    """A balancer in front of nodes a1 a2 (zone a, near) and b1 b2 (zone b), whose scripts are `.scripts`."""

    def make(*options: str, names: tuple[str, ...] = ("a1", "a2", "b1", "b2"), slow_s: float = 0.0) -> Balanced:
        scripts = {name: Node(name, slow_s) for name in names}
        made = Balanced(start, tmp_path, {name: script(one) for name, one in scripts.items()}, *options)
        made.scripts = SimpleNamespace(**scripts)
        return made

    return make
