"""A load balancer of two layers: it picks a zone, then a node in the zone, and proxies or redirects there.

It stores nothing and steers no clients: caches are edges, and ranked answers come from the steering service.
"""
