"""A page load: objects that depend on each other, fetched over a few connections.

It is not a browser: it parses nothing and runs no script; which object follows from which is told.
"""
