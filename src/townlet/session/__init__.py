"""A training that a Python program begins, and the run that it gets back.

May import: callbacks, config, evaluate, level.suggestion, policy, run, screen, train.
"""
