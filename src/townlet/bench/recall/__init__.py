"""What each kind of memory learns to hold: small questions with known answers, the same for all.

May import: ground, config, level, environment, agent, run, screen, bench.
"""
