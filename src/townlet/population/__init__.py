"""The population: agents that act, remember and learn together.

May import: ground, children, config, shares, environment.types, agent, replay, exploration, curriculum.
"""
