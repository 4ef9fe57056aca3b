"""What completes a command line of `townlet` in a shell: scripts, written from the parsers of all words.

May import: level.file, screen.
"""
