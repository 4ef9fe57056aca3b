"""The same world by other hands, in C, NumPy and plain Python, to measure ours against.

May import: ground, config, environment.
"""
