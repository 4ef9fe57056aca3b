"""How the difficulty of a level grows with its agents.

May import: ground, config, environment.types.
"""
