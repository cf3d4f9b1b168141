"""A caching server near clients: a reverse proxy with a cache of files on disk.

It does not choose clients or balance origins; steering and balancing are other daemons.
"""
