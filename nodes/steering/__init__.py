"""The control plane: tells a client which edges to use, in order, and why.

It carries no content and asks no edge: it knows what edges report.
"""
