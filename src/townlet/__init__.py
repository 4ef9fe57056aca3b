"""Townlet: a vectorised town of small lives, and recurrent Q-learning agents that learn to survive in it."""

__version__ = "0.1.0"
