"""Providers: each is one generator from a request to batches of pieces. They know nothing of Flask
or logs."""
