"""What other dialects' clients ask besides a message. A blueprint here has the name of its dialect,
whose errors its routes answer."""
