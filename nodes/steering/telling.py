"""How others tell steering: a report over HTTP, and each trouble said once until it changes.

It makes no report and serves nothing.
"""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

SEND_S = 5.0


def send(steering: str, report: Mapping[str, Any], within_s: float = SEND_S) -> str:
    """Send one report; gives why it did not arrive or was refused, and nothing when it was taken."""
    try:
        request = urllib.request.Request(f"{steering.rstrip('/')}/-/reports", json.dumps(report).encode(), method="POST")
        with direct().open(request, timeout=within_s):
            return ""
    except urllib.error.HTTPError as error:
        return error.read(1000).decode("utf-8", "replace").strip()
    except (OSError, ValueError) as error:
        return str(getattr(error, "reason", None) or error)


def get(url: str, within_s: float = SEND_S) -> bytes:
    """The content of a URL. Raises OSError."""
    with direct().open(url, timeout=within_s) as answer:
        content: bytes = answer.read()
        return content


def direct() -> urllib.request.OpenerDirector:
    """What opens URLs without any proxy."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))  # nothing in a lab is behind a proxy


class Troubles:
    """What does not work now, said on stderr when it begins, changes or ends."""

    def __init__(self) -> None:
        self._causes: dict[str, str] = {}

    def say(self, attempt: str, cause: str, remedy: str) -> None:
        """How an attempt went; `cause` is empty when it went well."""
        before = self._causes.get(attempt, "")
        if cause and before != cause:
            print(f"longhaul: could not {attempt}: {cause}; {remedy}", file=sys.stderr, flush=True)
        elif before and not cause:
            print(f"longhaul: it works again to {attempt}", file=sys.stderr, flush=True)
        self._causes[attempt] = cause
