"""The source of truth: serves files of a folder and generated objects of any size.

It does not cache and knows no edge.
"""
