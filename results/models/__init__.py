"""Predictions from formulas and small exact simulations, to set beside measurements. They measure nothing."""
