"""The dialect of Vercel's AI SDK."""
