"""Benchmarks: python -m townlet.bench.

May import: environment, screen.
"""
