"""A run that is shown while it trains: a server of its own process, which reads the run's folder and plays its agents.

May import: children, config, page, run, screen, evaluate, environment.types.
"""
