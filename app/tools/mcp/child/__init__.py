"""The process that speaks MCP: what `python -m app.tools.mcp.child` runs, and the only place where
the SDK and asyncio are imported. Nothing else imports it.

One socket, its stdin, brings lines of JSON and takes them; app/tools/mcp/client.py has the other
end. When that closes, however it does, this process ends its servers and itself.
"""
