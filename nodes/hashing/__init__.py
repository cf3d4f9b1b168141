"""Hashing keys to names so that few keys move when a name comes or goes: ketama, Maglev, rendezvous, bounded loads.

Nothing here knows what the names are: a balancer's nodes, a cache's servers. All of it is pure.
"""
