"""SQLite in WAL mode."""
