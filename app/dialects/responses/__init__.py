"""OpenAI's Responses, the one standard wire whose cursor is the log's own."""
