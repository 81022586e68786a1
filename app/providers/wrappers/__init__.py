"""What is put around a provider: retries, whole replies, recordings, faults."""
