"""The world: rules, tables, observations, and the vectorised environment."""
