"""What policies have in common. It is no policy itself."""
