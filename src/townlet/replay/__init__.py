"""What is learned from: the tape, the buffers over it, and priorities.

May import: ground, config.
"""
