"""The words of `townlet`, one file each.

May import: ground, config, level, environment, agent, exploration, population, policy, run, screen, train,
evaluate, bench, watch.
"""
