"""What the cache's decisions need to know of a request.

Any object with these three is enough (the wire's Request is one); the decisions never touch a body or a connection.
"""

from __future__ import annotations

from typing import Protocol

from nodes.http.message import Fields


class Asked(Protocol):
    """A request. `uri` is the effective request URI (RFC 9110, section 7.1), normalised."""

    @property
    def method(self) -> str: ...

    @property
    def uri(self) -> str: ...

    @property
    def fields(self) -> Fields: ...
