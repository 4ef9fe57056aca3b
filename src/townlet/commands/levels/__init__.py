"""The words about level files: list and draw them, check them, and print their schema.

May import: config, level.file, level.schema, environment.layout, environment.tables, agent.requirements, page.schema,
screen.
"""
