"""What a run is saved as, and how it goes on from that.

May import: ground, config, agent, population, run.run_directory.
"""
