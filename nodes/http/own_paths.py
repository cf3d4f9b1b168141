"""What daemons that answer for others keep for themselves: the paths under `/-/`. It answers none of them.

Every other path is an origin's, or a node's.
"""

from __future__ import annotations

from collections.abc import Mapping

from nodes.http.message import HttpError, Request

PREFIX = "/-/"
RESERVED = frozenset(("/-/healthz", "/-/metrics"))
"""What the server answers itself."""


def demand(request: Request, allowed: Mapping[str, str]) -> None:
    """`allowed` has the methods of each path, such as "GET, HEAD". Raises HttpError 404 and 405 for others."""
    methods = allowed.get(request.path)
    if methods is None:
        known = ", ".join([*sorted(allowed), *sorted(RESERVED)])
        raise HttpError(404, f"there is no {request.path}; there are {known}")
    if request.method not in methods.split(", "):
        raise HttpError(405, f"{request.path} answers {methods}", [("Allow", methods)])
