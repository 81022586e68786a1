"""HTTP to model servers: connections, proxies, and bodies as they come."""
