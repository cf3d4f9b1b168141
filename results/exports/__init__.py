"""A run directory in the formats of others: one file per format, found by its presence."""
