"""Eviction policies over a trace, without a network or a disk. The policies are those of the live store."""
