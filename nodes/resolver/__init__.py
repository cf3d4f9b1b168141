"""A client's resolver: asks the servers of zones that it was told of, and keeps what they say for as long as it holds.

It walks no tree from the root and validates nothing: each zone has one server.
"""
