"""Debian's memcached as a node: in memory, on an SSD, or both.

It is memcached itself, started, watched and stopped; its clients speak memcached's protocol.
"""
