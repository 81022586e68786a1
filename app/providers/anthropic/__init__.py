"""Claude, by its own wire."""
