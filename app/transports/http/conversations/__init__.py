"""Conversations over HTTP: sessions, their messages, what is new, and files."""
