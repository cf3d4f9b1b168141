"""Bulk flows over TCP: senders that always have something to send, and sinks that throw it away.

It carries no HTTP and checks no bytes; what it says of a flow is what the sender's kernel knows of it.
"""
