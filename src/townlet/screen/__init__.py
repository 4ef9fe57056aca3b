"""What a person sees in a terminal: the dashboard, plain lines, and how words and flags are read.

May import: level.errors, level.suggestion, level.whole.
"""
