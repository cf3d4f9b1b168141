"""What a client is told when the origin does not answer, and what passes before it does.

It decides no retry and serves nothing stale.
"""

from __future__ import annotations

from nodes.edge.cache_status import CacheStatus
from nodes.http.message import Fields, HttpError, end_to_end
from nodes.http.metrics import Metrics
from nodes.http.reply import Reply
from nodes.http.upstream_error import UpstreamError


def gateway_error(
    name: str, error: UpstreamError, reply: Reply, status: CacheStatus, metrics: Metrics
) -> HttpError:  # fmt: skip
    """502 or 504, with the reason in Cache-Status and in the log."""
    metrics.count("longhaul_origin_errors_total")
    status.detail, status.stored = str(error), False
    reply.outcome.result = "ERR_READ_TIMEOUT" if error.timeout else "ERR_CONNECT_FAIL"
    reply.outcome.cache_status = status.text(name)
    fields = [("Cache-Status", reply.outcome.cache_status), ("Cache-Control", "no-store")]
    return HttpError(error.status, str(error), fields)


async def pass_interim(reply: Reply, status: int, fields: Fields) -> None:
    """A 1xx of the origin to the client; 100 is the edge's own to give (RFC 9110, sections 10.1.1 and 15.2)."""
    if status != 100:
        reply.interim(status, end_to_end(fields))


def cut(error: UpstreamError, reply: Reply, metrics: Metrics) -> ConnectionResetError:
    """For a response that the origin broke off after the client had a part of it: the client must see that, too."""
    metrics.count("longhaul_origin_cut_total")
    reply.outcome.notes["upstream_error"] = str(error)
    return ConnectionResetError(f"cut, because {error}")
