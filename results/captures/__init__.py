"""Packet captures read and written: segments, connections, transfers, pcapng. Nothing here knows an experiment."""
