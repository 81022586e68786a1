"""HTTP: routes, and what happens around them."""
