"""The ways in which a memcached does not answer. None of them says what became of the command.

    Unanswered
    +-- TimedOut    no answer in time
    +-- Busy        too many wait already; nothing was sent
    +-- Away        no connection, or it broke
    +-- Nonsense    what came is no answer; the connection was closed
    +-- Refused     SERVER_ERROR, such as out of memory
"""

from __future__ import annotations


class Unanswered(Exception):
    """`node` is `host:port`, `reason` a word for metrics."""

    reason = "unanswered"

    def __init__(self, node: str, cause: str) -> None:
        super().__init__(f"memcached {node} {cause}")
        self.node = node


class TimedOut(Unanswered):
    """No answer in time."""

    reason = "timeout"


class Busy(Unanswered):
    """Nothing was sent: too much waits for an answer."""

    reason = "busy"


class Away(Unanswered):
    """There is no connection."""

    reason = "away"


class Nonsense(Unanswered):
    """What came is no answer."""

    reason = "garbage"


class Refused(Unanswered):
    """It said SERVER_ERROR."""

    reason = "refused"
