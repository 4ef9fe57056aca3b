"""A step of the world as compiled kernels, called over memory that is used again.

May import: ground, config, environment.
"""
