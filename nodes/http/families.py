"""What every daemon's server counts, in words. It counts nothing; `server.py`, `records.py` and `listener.py` do."""

COUNTERS = {
    "longhaul_connections_total": "Connections of clients that were accepted.",
    "longhaul_accept_errors_total": "Connections that could not be accepted, such as for want of descriptors.",
    "longhaul_internal_errors_total": "Requests that failed by a defect of this daemon.",
    "longhaul_log_errors_total": "Records that could not be written to the access log.",
}
OTHERS = {
    "longhaul_connections_open": "Connections of clients that are open now.",
    "longhaul_requests_total": "Requests by status and by Traffic Server's word for how they were answered.",
    "longhaul_sent_bytes_total": "Content sent to clients, without heads and framing, by the same word.",
    "longhaul_request_duration_seconds": "From the whole head of a request to the last byte handed to the kernel.",
    "longhaul_steered_requests_total": "Requests that came by a ranked list, by rank and by what was missed at rank 0.",
    "longhaul_steered_bytes_total": "Content of those, likewise.",
}
