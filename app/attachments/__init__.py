"""Pictures and files: reading them, their shelf, taking them in, sending them out, the sweeper."""
