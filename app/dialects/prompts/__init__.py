"""Others' dialects that take one prompt instead of messages."""
