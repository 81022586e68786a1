"""The dialect of Claude's messages."""
