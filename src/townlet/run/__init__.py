"""What is kept of a run and paced: its folder, checkpoints, metrics and curves, and the loop.

May import: ground, callbacks, config, level.suggestion, environment, agent, population, page, screen.
"""
