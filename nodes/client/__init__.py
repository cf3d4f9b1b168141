"""A measured HTTP client: fetches with libcurl and says when each step happened.

It is not a browser and not a load generator: one fetch at a time.
"""
