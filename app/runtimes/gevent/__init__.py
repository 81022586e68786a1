"""gevent."""
