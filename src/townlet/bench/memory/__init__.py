"""Public tasks of memory, tried by our agents, a control and a peer.

May import: ground, config, level, environment, agent, population, run, screen, bench.
"""
