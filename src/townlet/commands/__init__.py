"""The words of `townlet`, one file each.

May import: ground, config, level, environment, agent, exploration, population, page, run, screen, train, evaluate,
bench, watch.
"""
