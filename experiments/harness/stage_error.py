"""The error of whatever stands on a stage. It is raised where a process is started, ordered or heard."""


class StageError(Exception):
    """A daemon that did not start, died or did not answer; the message has its own last words."""
