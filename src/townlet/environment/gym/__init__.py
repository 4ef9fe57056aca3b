"""Gymnasium both ways: our levels for others, and environments of others for our agents.

May import: ground, config, level.file, level.suggestion, environment.
"""
