"""Where the memory of a trained agent holds the map.

May import: ground, config, environment, agent, population, run, screen, evaluate.
"""
