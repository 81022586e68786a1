"""OpenAI's API, and whatever speaks its chat completions."""
