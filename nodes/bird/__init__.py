"""BIRD as the BGP speaker of a network or an edge site, and a reporter of what it has learned to steering.

It speaks no BGP itself: BIRD does.
"""
