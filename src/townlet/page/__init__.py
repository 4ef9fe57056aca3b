"""Replays: what agents did, step by step, in files that a page can play back.

May import: ground, config, level, environment, agent, play.planner.
"""
