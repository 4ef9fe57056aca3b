"""The population: agents that act, remember and learn together.

May import: ground, config, environment.types, agent, replay, exploration, curriculum.
"""
