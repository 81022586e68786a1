"""Runs and their logs: one model answering one message, and the only source of what was said."""
