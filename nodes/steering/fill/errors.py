"""What may be wrong with what fill is told. It is not about copying that fails."""


class FillError(ValueError):
    """A plan that cannot be made; the message says what of it and why."""
