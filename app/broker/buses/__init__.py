"""The engines of a bus."""
