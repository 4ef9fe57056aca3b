"""Our levels and tasks made known to Gymnasium, by ids."""

from gymnasium.envs.registration import register, registry

from townlet.level.file import shipped_levels

ANY = "Level"  # takes any level, by its keyword


def register_worlds() -> None:
    """Register each shipped level as Townlet/Level<id>-v0, Townlet/Level-v0, which takes any `level`, and our tasks.

    Entry points are strings: PyTorch is imported when a world is made. It happens here and not through Gymnasium's
    plugins, by which every `import gymnasium` of a machine would read our files, and none would in a source tree.
    Files that cannot be read are left out: whoever reads the levels tells of them, an import is no place for that.
    A second call does nothing.
    """
    if f"Townlet/{ANY}-v0" in registry:
        return
    known: dict[str, dict[str, str]] = {ANY: {}}
    known |= {f"{ANY}{level[0].upper()}{level[1:]}": {"level": level} for level in shipped_levels()}
    for name, options in known.items():
        register(
            f"Townlet/{name}-v0",
            entry_point="townlet.environment.gym.adaptors:TownletEnv",
            vector_entry_point="townlet.environment.gym.adaptors:TownletVectorEnv",
            kwargs=options,
        )
    # Needs no package beside Gymnasium, so its id alone finds it.
    register("Townlet/TMaze-v0", entry_point="townlet.bench.t_maze:TMaze")
