"""Admission rules, one file each, found by presence: whether an object that missed is stored at all."""
