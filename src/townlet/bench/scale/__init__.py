"""How costs grow with agents, windows, capacity and the map.

May import: ground, config, environment, replay, population, run, screen, bench.speed.
"""
