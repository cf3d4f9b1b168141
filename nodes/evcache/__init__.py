"""A cache in front of a slow source of truth: a whole copy in every zone, on memcached; a daemon and an asyncio class.

It is Netflix's EVCache in design and names, not its code. It keeps no data itself.
"""
