"""The text of a level: YAML with its lines, parts as frozen types, and every mistake told at once.

May import: nothing.
"""
