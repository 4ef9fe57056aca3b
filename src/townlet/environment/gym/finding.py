"""Where environments and wrappers of others are found: by an id, in a module or in a file; and what these take."""

import hashlib
import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, cast

import gymnasium
from gymnasium.envs.registration import EnvSpec, load_env_creator
from gymnasium.vector import VectorEnv

from townlet.config import ConfigError
from townlet.environment.gym.gate import told
from townlet.environment.gym.registration import register_worlds
from townlet.level.suggestion import suggestion

FILE = ".py"  # how a place ends that is a file and no module
MOST_NAMES = 8  # that an error lists
OF_MAKE = ("max_episode_steps",)  # what `gymnasium.make` takes itself

Wrapping = str | Mapping[str, Mapping[str, Any]]  # a wrapper's name, or its name with keyword arguments


class Keywords(NamedTuple):
    """The keyword arguments of something that makes an environment, with their defaults as Python writes them."""

    defaults: dict[str, str]  # "" for none
    others: bool  # whether it takes more, which its signature does not name

    def __str__(self) -> str:
        named = [f"{name}={default}" if default else name for name, default in self.defaults.items()]
        return ", ".join([*named, *(["others"] if self.others else [])]) or "none"

    def refusal(self, key: str, given: Iterable[str], whose: str) -> ConfigError | None:
        """Return the error to raise for the first of the names given that is none of these; None where all are."""
        unknown = [name for name in given if name not in self.defaults]
        if not unknown:
            return None
        names = ", ".join([*self.defaults, *(["others"] if self.others else [])])
        expected = (
            f"one of {names}, which {whose} takes" if names else f"none, since {whose} takes no keyword arguments"
        )
        got = repr(unknown[0]) + suggestion(unknown[0], self.defaults)
        return ConfigError([f"{key}.{unknown[0]}: expected {expected}, got {got}"])


def registered(env_id: str) -> EnvSpec:
    """Return what an id stands for: registered with Gymnasium, by us or by a module or file that is imported first.

    After module: or file.py: there may also stand the name of a class or function in it that makes the environment. A
    module is looked for in the current folder too, as `python -m` does. Raises ConfigError where there is none.
    """
    where, _, name = (env_id, "", "") if env_id.endswith(FILE) else env_id.rpartition(":")
    register_worlds()
    module: ModuleType | None = None
    try:
        module = load(where) if where else None
        if module and not name:
            raise LookupError(f"expected {where}:NAME of an environment in it")
        made = vars(module).get(name) if module else None
        return _spec_of(name, made) if callable(made) else gymnasium.spec(name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a stranger's module may raise anything, and may end the process
        raise not_made(env_id, error, _offered(module, name) if where else _close_to(name, error)) from error


def not_made(env_id: str, error: BaseException, hint: str = "") -> ConfigError:
    """Return the error to raise where an environment cannot be made, or is none for our agents."""
    if isinstance(error, ConfigError):
        return ConfigError(line.replace("gym: ", f"gym: {env_id}: ", 1) for line in error.errors)
    return ConfigError([f"gym: expected an environment that can be made, got {env_id}: {told(error)}{hint}"])


def load(where: str) -> ModuleType:
    """Import a module, or a file by its path, whose folder is one of modules from then on."""
    if not where.endswith(FILE):
        here = os.getcwd()
        if not sys.flags.safe_path and here not in sys.path:
            sys.path.insert(0, here)
        return importlib.import_module(where)
    path = Path(where).resolve()
    if not path.is_file():
        raise FileNotFoundError(
            f"no file {path}{suggestion(path.name, (one.name for one in path.parent.glob('*.py')))}"
        )
    for known in list(sys.modules.values()):
        if getattr(known, "__file__", None) == str(path):
            return known
    return _load_file(path)


def _load_file(path: Path) -> ModuleType:
    """Import a file under the name that others in its folder import it by, unless another module has that name."""
    found = None if path.stem in sys.modules else importlib.util.find_spec(path.stem.replace(".", "_"))
    taken = path.stem in sys.modules or (found is not None and found.origin != str(path))
    name = f"{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}" if taken else path.stem
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _spec_of(name: str, made: Callable[..., Any]) -> EnvSpec:
    if isinstance(made, type) and issubclass(made, VectorEnv):
        return EnvSpec(name, vector_entry_point=cast(Any, made))
    return EnvSpec(name, entry_point=cast(Any, made))


def _close_to(env_id: str, error: BaseException) -> str:
    """What is registered that may have been meant, where Gymnasium does not say so itself."""
    return "" if "Did you mean" in told(error) else suggestion(env_id, gymnasium.registry)


def _offered(module: ModuleType | None, name: str) -> str:
    """The environments that a module has, to be told to those who named none of them."""
    if module is None:
        return ""
    classes = [
        known
        for known, one in vars(module).items()
        if isinstance(one, type) and issubclass(one, gymnasium.Env | VectorEnv) and one.__module__ == module.__name__
    ]
    ids = [spec.id for spec in gymnasium.registry.values() if _module_of(spec) == module.__name__]
    names = [*ids, *classes]
    listed = ", ".join([*names[:MOST_NAMES], *(["..."] if len(names) > MOST_NAMES else [])])
    return f"; {module.__name__} has {listed}{suggestion(name, names)}" if names else ""


def _module_of(spec: EnvSpec) -> str:
    made = spec.entry_point or spec.vector_entry_point
    return made.partition(":")[0] if isinstance(made, str) else getattr(made, "__module__", "")


# --- keyword arguments -------------------------------------------------------------------------------------------


def keywords_of(spec: EnvSpec, at_once: bool = False) -> Keywords:
    """Return the keyword arguments of an environment, or, `at_once`, of its vector version. Raises what it raises."""
    made = (spec.vector_entry_point if at_once else None) or spec.entry_point or spec.vector_entry_point
    return keywords(load_env_creator(made) if isinstance(made, str) else made)


def keywords(made: Any) -> Keywords:
    """Return the keyword arguments of a class or a function, as far as signatures name them.

    What a class hands on to those it is made of is read there.
    """
    makers = (
        [vars(one)["__init__"] for one in made.__mro__ if "__init__" in vars(one)] if isinstance(made, type) else [made]
    )
    defaults = dict[str, str]()
    for maker in makers:
        try:
            parameters = list(inspect.signature(maker).parameters.values())[isinstance(made, type) :]
        except (TypeError, ValueError):  # something without a signature
            return Keywords(defaults, True)
        for one in parameters:
            if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY):
                defaults.setdefault(one.name, "" if one.default is one.empty else repr(one.default))
        if not any(one.kind == one.VAR_KEYWORD for one in parameters):
            return Keywords(defaults, False)
    return Keywords(defaults, True)


# --- wrappers ----------------------------------------------------------------------------------------------------


def wrapped(env: gymnasium.Env[Any, Any], wrappers: Iterable[Wrapping]) -> gymnasium.Env[Any, Any]:
    """Put wrappers around an environment, the first one innermost.

    Each is one of gymnasium.wrappers by its name, or module:Name or file.py:Name. Raises ConfigError where there is no
    such wrapper, or it does not fit.
    """
    for index, wrapping in enumerate(wrappers):
        key = f"gym_wrappers[{index}]"
        name, given = (wrapping, {}) if isinstance(wrapping, str) else next(iter(wrapping.items()))
        made = _wrapper(key, name)
        try:
            env = made(env, **given)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # of a stranger
            taken = Keywords(dict(list(keywords(made).defaults.items())[1:]), keywords(made).others)  # the first is env
            refusal = taken.refusal(key, given, name) if isinstance(error, TypeError) else None
            raise refusal or ConfigError([f"{key}: expected a wrapper that fits, got {name}: {told(error)}"]) from error
        if not isinstance(env, gymnasium.Env):
            raise ConfigError([f"{key}: expected a wrapper that returns an environment, got {type(env).__name__}"])
    return env


def _wrapper(key: str, name: str) -> Callable[..., Any]:
    """The wrapper that a name stands for."""
    where, _, last = name.rpartition(":")
    try:
        known = vars(load(where)) if where else {one: one for one in gymnasium.wrappers.__all__ if one != "vector"}
        if last in known:
            found = known[last] if where else getattr(gymnasium.wrappers, last)
            if callable(found):
                return found
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a stranger's module, or a library that a wrapper needs and is not there
        raise ConfigError([f"{key}: expected a wrapper that can be imported, got {name}: {told(error)}"]) from error
    expected = f"a wrapper in {where}" if where else "one of gymnasium.wrappers, or module:Wrapper"
    raise ConfigError([f"{key}: expected {expected}, got {name!r}{suggestion(last, known)}"])
