"""Networks, losses and the learner.

May import: ground, config, environment.layout, environment.types.
"""
