"""Caddy in front of an origin: a server of others that speaks HTTP/1.1, HTTP/2 and HTTP/3 to its clients.

It is no cache: every request goes to the origin, over HTTP/1.1.
"""
