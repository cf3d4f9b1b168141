"""Tells steering how an edge is and which files it has, from the edge's own metrics and a list of files.

It is no part of the edge and knows no routes (`longhaul node bird` tells those).
"""
