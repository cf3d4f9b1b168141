"""What goes wrong with a load. It is no finding about the server."""


class LoadError(Exception):
    """A load that did not run as it was to, so that its figures mean nothing: `could not ATTEMPT: CAUSE; WHAT TO DO`."""


class TooSlowError(LoadError):
    """A rate that was to be kept and was not."""
