"""Fill: each night has the edges of every site fetch what will be asked for, before it is asked for.

It carries no file itself: an edge fetches from the peer, the tier or the origin that it is told.
"""
