"""What zone rules share: the interface, and the zones by their numbers."""
