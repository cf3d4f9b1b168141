"""Replication between regions: keys and metadata are queued, a relay sends the local values to the other region's cache.

It decides no order: the newest version of each key wins everywhere. Source: Netflix Technology Blog, "Caching for a Global
Netflix" (2016).
"""
