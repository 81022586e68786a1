"""Concurrency, one folder a library: tasks, waiting, blocking calls, serving."""
