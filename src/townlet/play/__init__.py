"""Play in the terminal: a person lives in the town by the keyboard, and a trained agent beside.

May import: ground, config, environment, agent.
"""
