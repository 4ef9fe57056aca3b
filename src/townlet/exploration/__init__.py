"""How agents try what they do not know.

May import: ground, config, environment.types, curriculum.last_episodes.
"""
