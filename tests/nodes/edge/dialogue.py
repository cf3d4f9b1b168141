"""Dialogues with an edge, as data: the client says, the origin answers, the client must see.

A dialogue is a table with `says`, its claim with the section of the standard, and `steps`. A step has:

    client      "GET /a", or nothing for a step of the origin alone (a request made behind the client's back)
    with        the request's fields; `body` its content
    origin      what the origin answers: a status, "cut" (it closes without a word), or raw bytes that begin with "HTTP/"
                (then it closes); without it the origin must not be asked. Asked once more than said, it answers 498
    gives       the fields of its answer; `content` what it sends (also what the client must get, unless `gets` says else)
    asked       what the origin must be asked: "GET /a", "Name: value", or "!Name" for a field that must not be there
    sees        the status the client must see (200 unless said)
    fields      what the client must see: "Name: value", "Name" for any value, "!Name" for none, "Name ~ regular expression"
    cache       what must stand in the edge's own member of Cache-Status
    after_s     seconds to wait before

`{-60}` in a field is the date of 60 seconds ago. Every dialogue has paths of its own, so all of them share one edge.
"""

from __future__ import annotations

import re
import socket
import time
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue
from typing import Any

from nodes.http.dates import http_date
from tests.nodes.edge.kept import get
from tests.nodes.wirekit import Answer, Daemon, ScriptedOrigin

HERE = Path(__file__).parent / "dialogues"
KEYS = frozenset(
    ("client", "with", "body", "origin", "gives", "content", "asked", "sees", "fields", "gets", "cache", "after_s")
)


def load() -> list[tuple[str, dict[str, Any]]]:
    """Every dialogue with a name: the file's and its number."""
    found = []
    for path in sorted(HERE.glob("*.toml")):
        for number, one in enumerate(tomllib.loads(path.read_text(encoding="utf-8"))["dialogue"], start=1):
            found.append((f"{path.stem}-{number}", one))
    return found


@dataclass
class Stage:
    """An edge and the origin behind it, which plays the steps of every dialogue by the first part of the path."""

    edge: Daemon
    origin: ScriptedOrigin
    steps: dict[str, Queue[dict[str, Any]]] = field(default_factory=dict)
    heads: dict[str, Queue[str]] = field(default_factory=dict)
    cut: set[str] = field(default_factory=set)


def answers(stage: dict[str, Stage], head: str, sock: socket.socket) -> bool | None:
    """The origin's side."""
    here = stage["here"]
    name = head.split()[1].split("/")[1]
    length = re.search(r"(?im)^content-length: (\d+)", head)
    left = int(length[1]) if length else 0
    while left > 0:
        left -= len(sock.recv(left))
    here.heads[name].put(head)
    try:
        step = here.steps[name].get(timeout=0.2)
    except Empty:
        if name in here.cut:
            return False  # a safe request may be tried again on a new connection (RFC 9110, section 9.2.2)
        sock.sendall(b"HTTP/1.1 498 Unexpected\r\nContent-Length: 0\r\nCache-Control: no-store\r\n\r\n")
        return None
    said = step["origin"]
    here.cut.discard(name)
    if said == "cut":
        here.cut.add(name)
        return False
    if isinstance(said, str):
        sock.sendall(filled(said, name).encode("latin-1"))
        return False
    content = step.get("content", "").encode()
    lines = [f"HTTP/1.1 {said} Said So", *(filled(one, name) for one in step.get("gives", ()))]
    if not any(line.lower().startswith(("content-length:", "transfer-encoding:")) for line in lines) and said not in (204, 304):
        lines.append(f"Content-Length: {len(content)}")
    bodyless = head.startswith("HEAD ") or said in (204, 304)
    sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (b"" if bodyless else content))
    return None


def filled(text: str, name: str) -> str:
    """Dates and the dialogue's own first part of the path."""
    text = re.sub(r"\{([+-]\d+)\}", lambda found: http_date(time.time() + int(found[1])), text)
    return text.replace("{here}", f"/{name}")


def play(stage: Stage, name: str, dialogue: dict[str, Any]) -> None:
    """Play one; a failure tells the steps so far."""
    stage.steps[name], stage.heads[name] = Queue(), Queue()
    so_far = [f"{dialogue['says']}"]
    for step in dialogue["steps"]:
        assert set(step) <= KEYS, set(step) - KEYS
        so_far.append(str(step))
        time.sleep(step.get("after_s", 0))
        if "origin" in step:
            stage.steps[name].put(step)
        seen = None
        if "client" in step:
            method, path = step["client"].split(" ", 1)
            given = [filled(one, name) for one in step.get("with", ())]
            seen = get(stage.edge, f"/{name}{path}", *given, method=method, body=step.get("body", "").encode())
        wrong = _wrong(stage, name, step, seen)
        if wrong:
            seen_text = "nothing" if seen is None else seen.raw.decode("latin-1")
            raise AssertionError("\n".join([*so_far, f"--- {wrong}; the client saw:", seen_text]))
    assert stage.steps[name].empty(), "the origin was not asked"


def _wrong(stage: Stage, name: str, step: dict[str, Any], seen: Answer | None) -> str:
    """What is not as it must be; empty when everything is."""
    if "origin" in step:
        try:
            head = stage.heads[name].get(timeout=2)
        except Empty:
            return "the origin was not asked"
        if wrong := _wrong_request(head, name, step.get("asked", ())):
            return f"{wrong}; the origin was asked:\n{head}\n"
        if step["origin"] == "cut" or step.get("sees") == 498:
            stage.heads[name] = Queue()
    elif not stage.heads[name].empty():
        return f"the origin was asked:\n{stage.heads[name].get()}\n"
    return "" if seen is None else _wrong_answer(seen, name, step)


def _wrong_request(head: str, name: str, wanted: list[str]) -> str:
    lines = head.split("\r\n")
    for one in wanted:
        if one.startswith("!"):
            if any(line.lower().startswith(one[1:].lower() + ":") for line in lines):
                return f"the origin was asked with {one[1:]}"
        elif ": " in one:
            if filled(one, name) not in lines:
                return f"the origin was not asked with {one}"
        elif not lines[0].startswith(one.replace(" /", f" /{name}/") + " "):
            return f"the origin was not asked {one}"
    return ""


def _wrong_answer(seen: Answer, name: str, step: dict[str, Any]) -> str:
    if seen.status != step.get("sees", 200):
        return f"the status is {seen.status}"
    gets = step.get("gets", step.get("content") if seen.status not in (204, 304) else None)
    if gets is not None and step.get("client", "").split()[0] != "HEAD" and seen.body != gets.encode():
        return f"the content is {seen.body!r}"
    own = seen.fields.get("cache-status", "").rpartition("edge1;")[2]
    for part in [step["cache"]] if isinstance(step.get("cache"), str) else step.get("cache", ()):
        if part not in own:
            return f"Cache-Status is {own!r}, without {part}"
    return next((wrong for one in step.get("fields", ()) if (wrong := _wrong_field(seen, filled(one, name)))), "")


def _wrong_field(seen: Answer, wanted: str) -> str:
    if wanted.startswith("!"):
        return f"there is {wanted[1:]}" if wanted[1:].lower() in seen.fields else ""
    pattern = wanted.partition(" ~ ")
    if pattern[1]:
        value = seen.fields.get(pattern[0].lower(), "")
        return "" if re.search(pattern[2], value) else f"{pattern[0]} is {value!r}"
    key, colon, value = wanted.partition(": ")
    given = seen.fields.get(key.lower())
    if given is None or (colon and given != value):
        return f"{key} is {given!r}, not {value!r}"
    return ""
