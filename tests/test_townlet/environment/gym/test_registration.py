"""What `import townlet` does: the levels become known to Gymnasium, and nothing heavy is loaded."""

import subprocess
import sys
from pathlib import Path

import gymnasium
import yaml

from townlet.environment.gym.adaptors import TownletEnv, TownletVectorEnv
from townlet.level.file import shipped_levels


def said_by(code: str) -> str:
    """What a fresh Python prints."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_each_shipped_level_has_an_id_and_is_that_level() -> None:
    ids = {"0": "Level0", "0.5": "Level0.5", "1": "Level1", "2": "Level2", "2-reference": "Level2-reference"}
    ids |= {"2.5": "Level2.5", "3": "Level3", "station": "LevelStation"}
    assert ids.keys() <= shipped_levels().keys()
    known = [name for name in gymnasium.registry if name.startswith("Townlet/Level")]
    assert len(known) == len(shipped_levels()) + 1 and "Townlet/Level-v0" in known
    for level, name in ids.items():
        single, several = gymnasium.make(f"Townlet/{name}-v0"), gymnasium.make_vec(f"Townlet/{name}-v0", num_envs=2)
        assert isinstance(single.unwrapped, TownletEnv) and isinstance(several, TownletVectorEnv)
        assert several.world.level.id == level and several.num_envs == 2
        assert single.observation_space == several.single_observation_space
        assert single.spec is not None and single.spec.max_episode_steps is None  # the world cuts off by itself


def test_an_import_knows_the_levels_and_loads_no_pytorch() -> None:
    code = "import sys, townlet, gymnasium; print('Townlet/Level2-v0' in gymnasium.registry, 'torch' in sys.modules)"
    assert said_by(code) == "True False"


def test_gymnasium_imports_us_by_module_and_id() -> None:
    code = "import gymnasium; print(gymnasium.make('townlet:Townlet/Level0-v0').reset(seed=0)[0].shape)"
    assert said_by(code) == "(43,)"  # 25 cells, 2 of position, energy, 14 affordances or none underfoot


def test_an_environment_is_made_again_from_its_spec() -> None:
    env = gymnasium.make("Townlet/Level2-v0", overrides={"max_steps": 9})
    assert env.spec is not None
    again = gymnasium.make(gymnasium.envs.registration.EnvSpec.from_json(env.spec.to_json()))
    assert again.unwrapped._one.world.level.max_steps == 9  # type: ignore[attr-defined]


def test_a_broken_level_file_breaks_neither_the_import_nor_the_others(tmp_path: Path) -> None:
    (tmp_path / "levels").mkdir()
    (tmp_path / "levels" / "7_own.yaml").write_text(yaml.safe_dump({"name": "own"}))  # an id is missing
    (tmp_path / "levels" / "8_own.yaml").write_text(yaml.safe_dump({"id": "8"}))
    code = f"""
from pathlib import Path
from townlet.level import file as level_file
level_file.configs_directory = lambda: Path({str(tmp_path)!r})
import gymnasium
from townlet.environment.gym.registration import register_worlds
gymnasium.registry.clear()
register_worlds()
print(list(gymnasium.registry))
"""
    assert said_by(code) == "['Townlet/Level-v0', 'Townlet/Level8-v0', 'Townlet/TMaze-v0']"
