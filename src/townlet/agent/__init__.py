"""Networks, losses and the learner.

May import: ground, config, environment.types.
"""
