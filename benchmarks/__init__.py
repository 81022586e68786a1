"""Benchmarks: Tandem beside what one would use instead, in one run. docs/benchmarks/ has figures.

Nothing in `app/` knows of this package, and this package imports nothing of `app/`.
"""
