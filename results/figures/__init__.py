"""One small file per kind of figure, found by its presence (`registry`). They draw; they decide nothing."""
