"""What a population in several processes is parted into.

May import: nothing.
"""
