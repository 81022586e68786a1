"""The words: entries, messages, sessions, runs, usage, errors. Pure; it imports nothing of ours."""
