"""Packet captures read, followed, matched and written: columns, TCP, requests, pages. Nothing here knows an experiment."""
