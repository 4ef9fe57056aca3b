"""Other lives than an agent's: a person's in the terminal, by the keyboard, and that of a script that knows the map.

May import: ground, config, environment, agent.
"""
