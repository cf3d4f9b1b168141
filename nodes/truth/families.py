"""What a source of truth counts beside its server, in words. It counts nothing."""

COUNTERS = {
    "longhaul_truth_errors_total": "Requests that the database could not do.",
    "longhaul_truth_loads_total": "Rows that were read, whether they were there or not.",
}
OTHERS = {
    "longhaul_truth_writes_total": "Rows that were written, by whether a newer version stood there already.",
    "longhaul_truth_writes_waiting": "Writes that wait for their commit.",
}
