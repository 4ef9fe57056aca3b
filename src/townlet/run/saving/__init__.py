"""What a run is saved as, and how it goes on from that.

May import: ground, config, level, environment.types, agent, population, page, run.fit, run.meta, run.plan,
run.run_directory.
"""
