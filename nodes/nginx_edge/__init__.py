"""nginx as a caching edge, with the options, log fields and control calls of our own, to measure against.

It is not our cache: what nginx cannot do is refused when it starts.
"""
