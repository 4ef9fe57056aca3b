"""What networks remember with: recurrent cells, and what rules keep beside them.

May import: ground, environment.types.
"""
