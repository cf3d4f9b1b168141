"""Load on HTTP servers of this machine, for benchmarks. Experiments measure with the client of nodes/client instead."""
