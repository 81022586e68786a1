"""What all vendors' wires share: HTTP, event streams, chunks, statuses."""
