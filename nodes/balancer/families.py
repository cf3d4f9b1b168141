"""What a balancer counts beside its server (`nodes/http/families.py`), in words. It counts nothing."""

COUNTERS = {
    "longhaul_retries_total": "Requests sent to a second node because the first failed before it answered.",
}
OTHERS = {
    "longhaul_check_failures_total": "Health checks that failed, by node.",
    "longhaul_node_cut_total": "Answers broken off because their node broke off, by node.",
    "longhaul_node_errors_total": "Requests that a node gave no head of an answer to, by node and by how far they came.",
    "longhaul_zone_active_requests": "Requests under way now, by zone of their node.",
    "longhaul_zone_healthy_nodes": "Nodes that take part, are up and not ejected, by zone.",
}
