"""Sessions as they go from one store into another: read whole, put whole."""
