"""eventlet. Leaving it is deleting this folder and its row in runtime.py."""
