"""A video player that adapts its rate: it fetches segments, keeps a buffer, and chooses the next rate from what it got.

It decodes nothing and shows nothing: a segment is so many bytes for so many seconds.
"""
