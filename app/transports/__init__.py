"""Transports: HTTP and Socket.IO. They translate and nothing else; Flask's globals stay in here."""
