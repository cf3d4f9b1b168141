"""What a name server counts, in words. It counts nothing."""

COUNTERS = {
    "longhaul_dns_unsent_total": "Datagrams that got no answer: too many waited, or the kernel did not take it.",
}
OTHERS = {
    "longhaul_dns_queries_total": "Queries that were answered, by transport and response code; `-` is silence.",
}
