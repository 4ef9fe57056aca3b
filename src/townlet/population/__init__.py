"""The population: agents that act, remember and learn together."""
