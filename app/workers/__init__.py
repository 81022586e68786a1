"""Several processes of one server: the parent that starts them, and what they say to each other."""
