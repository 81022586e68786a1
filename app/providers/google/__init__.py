"""Google's Gemini, by its own wire."""
