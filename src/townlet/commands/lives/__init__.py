"""Words that show lives: recorded for the page, drawn as a film, lived by hand, and shown in a notebook.

May import: ground, config, environment, agent, page, play, run, screen, evaluate.
"""
