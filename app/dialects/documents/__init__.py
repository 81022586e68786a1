"""The dialects of four published chat APIs, as docs/api.md describes them."""
