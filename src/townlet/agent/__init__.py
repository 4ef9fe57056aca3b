"""Networks, losses and the learner.

May import: ground, config, shares, environment.layout, environment.types.
"""
