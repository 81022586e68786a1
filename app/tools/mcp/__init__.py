"""Tools of MCP servers. The protocol is spoken in a process of its own (`child`)."""
