"""How agents try what they do not know.

May import: ground, config, shares, environment.types, curriculum.last_episodes.
"""
