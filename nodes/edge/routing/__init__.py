"""Routing rules: which origin answers for a request, what its cache key is, and what the edge changes on the way.

It reads no file and connects to nothing: `rules.parse` takes the text of a TOML file, and everything else is pure.
"""
