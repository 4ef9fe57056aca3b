"""What networks remember with: recurrent cells, and what is kept beside them, by rules or as learned.

May import: ground, environment.layout.
"""
