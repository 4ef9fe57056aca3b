"""The world: tables, rules, observations, and all agents in one step.

May import: ground, config, shares.
"""
