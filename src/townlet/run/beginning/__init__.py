"""How a training begins: as is asked for, from a checkpoint of its own, or with the weights of another.

May import: config, environment, agent, population, run, screen.
"""
