"""The house: the rooms of src/townlet, what each says of itself, and who imports whom, by the syntax tree alone."""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "townlet"

GROUND = ("capture", "masking", "seeding", "sequences")
# What the modules at the top may import; a room says it in the docstring of its `__init__`.
AT_THE_TOP = {
    "": ("environment.gym.registration", "screen"),
    "__main__": ("commands",),
    **dict.fromkeys(GROUND, ()),
    "config": ("level",),
    "train": (*GROUND, "callbacks", "config", "environment", "agent", "run", "screen", "watch"),
    "evaluate": (*GROUND, "config", "environment", "agent", "population", "run", "screen"),
}


@cache
def sources() -> dict[str, Path]:
    """Every module's file, by its name below townlet; the package itself is ""."""
    return {
        ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix("__init__").rstrip("."): path
        for path in sorted(SOURCE.rglob("*.py"))
    }


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(sources()[module].read_text())


@cache
def imports(module: str) -> frozenset[str]:
    """The modules of townlet that a module imports anywhere in it, also for types alone, or when a word is said."""
    found = set()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}: relative import in line {node.lineno}"
            below = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = {name for name in below if name.removeprefix("townlet.") in sources()}
            found |= modules or {str(node.module)}
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "lazily":
            found |= {argument.value for argument in node.args if isinstance(argument, ast.Constant)}
    return frozenset(name.removeprefix("townlet").lstrip(".") for name in found if name.split(".")[0] == "townlet")


def names_in(path: Path) -> set[str]:
    """Functions, classes and constants of a module, and those of its classes as Class.name."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{one.name}" for one in node.body if isinstance(one, ast.FunctionDef)}
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


def is_within(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def is_room(module: str) -> bool:
    return bool(module) and sources()[module].name == "__init__.py"


def rooms() -> list[str]:
    """Every folder of the source, by its name below townlet."""
    return list(filter(is_room, sources()))


def room_of(module: str) -> str:
    """The innermost package that holds a module, or the module itself where it lies at the top."""
    return module if is_room(module) else module.rpartition(".")[0] or module


def purpose(module: str) -> str:
    """The sentence that a room or a module says of itself: the first paragraph of its docstring."""
    return (ast.get_docstring(tree(module)) or "").partition("\n\n")[0]


def permission(room: str) -> str:
    """What a room says that it may import, in its own words."""
    listed = re.search(r"\n\nMay import: ([^.]*(?:\.\w[^.]*)*)\.\s*$", ast.get_docstring(tree(room)) or "")
    assert listed, f"{room}: expected a docstring that ends with a line 'May import: ....'"
    return " ".join(listed[1].split())


def may_import(room: str) -> tuple[str, ...]:
    """What a room may import, module by module or room by room, besides itself and the rooms within it."""
    if room in AT_THE_TOP:
        return AT_THE_TOP[room]
    names = [name.strip() for name in permission(room).split(",")]
    return tuple(one for name in names if name != "nothing" for one in (GROUND if name == "ground" else (name,)))
