"""How fast the world, the learner and the whole loop are.

May import: ground, config, environment, agent, population, run, screen, bench.
"""
