"""What node rules share: the interface, and what is known of a node."""
