"""What a client is told when the origin does not answer, or must not be asked.

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


def not_asked(name: str, reply: Reply, key: str | None) -> HttpError:
    """For a client that wants nothing from the origin, and for whom nothing is here: RFC 9111, section 5.2.1.7."""
    status = CacheStatus(key=key, detail="only-if-cached")  # nothing was forwarded: RFC 9211, section 2.2
    reply.outcome.cache_status = status.text(name)
    fields = [("Cache-Status", reply.outcome.cache_status)]
    return HttpError(504, "only a cached response was asked for, and there is none", fields)


def cut(error: UpstreamError, reply: Reply, metrics: Metrics) -> ConnectionResetError:
    """For a response that the origin broke off after the client had a part of it: the client must see that, too."""
    metrics.count("longhaul_origin_cut_total")
    reply.outcome.notes["upstream_error"] = str(error)
    return ConnectionResetError(f"cut, because {error}")
