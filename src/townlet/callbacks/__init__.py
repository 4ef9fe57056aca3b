"""Who is told how a training goes, while it goes: callbacks, which may end it.

May import: config.
"""
