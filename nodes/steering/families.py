"""What a steering daemon counts beside its server and its name server, in words. It counts nothing."""

COUNTERS: dict[str, str] = {}
OTHERS = {
    "longhaul_steering_decisions_total": "Clients sent somewhere, by how they asked (http or dns) and what they got.",
    "longhaul_steering_edges": "Edges that are known.",
    "longhaul_steering_files": "Files of all edges together; one on two edges counts twice.",
    "longhaul_steering_prefixes": "Prefixes of clients that a route is known for.",
    "longhaul_steering_reports_total": "Reports of edges, routes and files, by whether they were taken.",
    "longhaul_steering_stale_speakers": "BGP speakers that say their routes may be out of date.",
}
