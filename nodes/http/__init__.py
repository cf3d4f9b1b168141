"""The HTTP/1.1 wire that the daemons share: messages, a server, a pool of connections, logs and metrics.

It is not a framework: a daemon is one object with one `handle` coroutine.
"""
