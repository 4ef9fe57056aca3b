"""How fast the world, the learner and the whole loop are.

May import: ground, config, environment, agent, population, shares, run, screen, bench.
"""
