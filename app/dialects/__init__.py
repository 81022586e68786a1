"""Dialects: how a client speaks. Pure: a mapping in, a ChatRequest out; log entries in, frames
out."""
