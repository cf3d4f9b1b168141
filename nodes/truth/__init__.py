"""What a cache stands in front of: versioned rows behind HTTP, over SQLite or PostgreSQL.

It does not cache, and acknowledges nothing that is not durable.
"""
