"""Stored responses as files on an SSD: `store.py` is the door, each other file one part of it.

It does not decide what may be stored or used; that is `caching/`.
"""
