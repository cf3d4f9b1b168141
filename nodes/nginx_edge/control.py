"""The control calls of our edge, for nginx: what the cache holds, emptying it, closing connections to the origin.

nginx has none of them. Each is a reload: workers of a new generation have a new index, an empty folder and no connection
to the origin, while those of before finish what they serve.
"""

from __future__ import annotations

import http.client
import re
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path

from nodes.nginx_edge import config
from nodes.nginx_edge.helper import Answer, metrics, stub_status
from nodes.nginx_edge.process import Nginx


@dataclass(frozen=True)
class Held:
    """What a folder of the cache holds; sizes are those of nginx's files, whose heads count."""

    objects: int
    used_bytes: int


class Control:
    """Answers for one nginx. Calls that change something run one after another."""

    def __init__(self, edge: config.Edge, folder: Path, program: str) -> None:
        self.edge, self.folder = edge, folder
        self.generation = max(generations(folder), default=0)
        self._changing = threading.Lock()
        self.nginx = Nginx(program, folder, config.text(edge, self.generation))
        self.clear_old()

    def answer(self, method: str, path: str) -> tuple[int, Answer | str]:
        """A status and what to say."""
        reading = method in ("GET", "HEAD")
        try:
            if path == "/-/metrics" and reading:
                return 200, metrics(stub_status(self.folder, config.STATUS), self.edge.name)
            if path == "/-/cache" and reading:
                return 200, self.state()
            if path == "/-/cache" and method == "DELETE":
                return 200, {"dropped_objects": self.empty()}
            if path == "/-/connections" and method == "DELETE":
                self.reload()
                return 200, {}
        except (TimeoutError, OSError, http.client.HTTPException) as error:
            return 500, {"error": str(error)}
        known = path in ("/-/metrics", "/-/cache", "/-/connections")
        return (405 if known else 404), {"error": f"{method} {path} is nothing that this node answers"}

    def state(self) -> Answer:
        """What is known without nginx's help."""
        held = held_in(self.folder / f"objects-{self.generation}")
        return {"node": self.edge.name, "engine": "nginx", "objects": held.objects, "used_bytes": held.used_bytes,
                "capacity_bytes": self.edge.capacity_bytes}  # fmt: skip

    def empty(self) -> int:
        """A new generation. What a fetch of the old one still stores is in the old folder, which nobody reads."""
        with self._changing:
            dropped = held_in(self.folder / f"objects-{self.generation}").objects
            self.nginx.write(config.text(self.edge, self.generation + 1))
            self.nginx.reload()
            self.generation += 1
            return dropped

    def reload(self) -> None:
        """New workers with the same cache."""
        with self._changing:
            self.nginx.reload()

    def clear_old(self) -> None:
        """Remove the folders of generations before this one; call it when no worker of theirs is left."""
        for number in generations(self.folder):
            if number != self.generation:
                shutil.rmtree(self.folder / f"objects-{number}")


def generations(folder: Path) -> list[int]:
    """The numbers of the cache's folders that are there."""
    found = (re.fullmatch(r"objects-(\d+)", path.name) for path in folder.iterdir())
    return [int(match[1]) for match in found if match]


def held_in(folder: Path) -> Held:
    """Count a cache's files; one that goes meanwhile does not count."""
    objects = used_bytes = 0
    for path in folder.glob("?/??/*"):
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            continue
        if len(path.name) == 32:  # an MD5; a longer name is a file still being written
            objects, used_bytes = objects + 1, used_bytes + size
    return Held(objects, used_bytes)
