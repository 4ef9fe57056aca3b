"""How the difficulty of a level grows with its agents."""
