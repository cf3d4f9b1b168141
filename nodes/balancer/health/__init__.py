"""Health as state machines: what is asked (checks), what is seen (outliers), and how a node comes back (slow start).

Nothing here asks a node anything; `checking.py` does.
"""
