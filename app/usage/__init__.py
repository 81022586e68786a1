"""What was used and what it costs: prices, sums by day, limits."""
