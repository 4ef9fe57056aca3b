"""Processes that work for this one: begun out of reach of what is typed, and ended with what they are there for.

May import: nothing.
"""
