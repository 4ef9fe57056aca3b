"""Benchmarks: python -m townlet.bench."""
