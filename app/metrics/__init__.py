"""What is counted, in one place."""
