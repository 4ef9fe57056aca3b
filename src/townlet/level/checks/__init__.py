"""What the types of a level alone cannot say: checks between its parts.

May import: level.
"""
