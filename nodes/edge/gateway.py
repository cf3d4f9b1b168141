"""What a client is told when the origin does not answer.

It decides no retry and serves nothing stale.
"""

from __future__ import annotations

from nodes.edge.cache_status import CacheStatus
from nodes.http.message import HttpError
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


def cut(error: UpstreamError, reply: Reply, metrics: Metrics) -> ConnectionResetError:
    """For a response that the origin broke off after the client had a part of it: the client must see that, too."""
    metrics.count("longhaul_origin_cut_total")
    reply.outcome.notes["upstream_error"] = str(error)
    return ConnectionResetError(f"cut, because {error}")
