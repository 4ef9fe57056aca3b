"""A trained agent to take along: it acts wherever Gymnasium's environments are, and is exported into one folder.

May import: ground, config, environment, agent, population, run, evaluate.
"""
