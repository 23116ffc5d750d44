"""The architecture, checked: floors, purity, sizes, words.

The plan is data, in house.toml beside this file. Imports for type checking count for the floors (a type known
is a dependency), but not for purity.
"""

from __future__ import annotations

import ast
import functools
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
PLAN: dict[str, Any] = tomllib.loads(Path(__file__).with_name("house.toml").read_text())
FOLDERS = ("kvserver", "persistence", "replication", "ops", "grafana", "tests")


@dataclass(frozen=True)
class Source:
    """A Python file of ours: where it is, what it is called when imported, its text and tree."""

    path: Path
    module: str
    text: str
    tree: ast.Module

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()


@functools.cache
def sources() -> tuple[Source, ...]:
    paths = [
        ROOT / "setup.py",
        *(path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))),
    ]
    return tuple(Source(path, module_name(path), path.read_text(), ast.parse(path.read_text())) for path in paths)


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def housed() -> list[Source]:
    """The sources that stand on a floor."""
    return [source for source in sources() if source.module.split(".")[0] in PLAN["packages"]]


def floor_of(module: str) -> int | None:
    """Floor of the first row that fits; None when no row does."""
    for floor in PLAN["floor"]:
        if any(fnmatchcase(module, pattern) for pattern in floor["modules"]):
            return int(floor["number"])
    return None


def imports(source: Source, types_too: bool = True) -> Iterator[tuple[int, str]]:
    """Line and full name of each module, or name in one, that is imported anywhere in the file."""
    skipped = set() if types_too else typing_only(source.tree)
    for node in ast.walk(source.tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = absolute(source, node)
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def typing_only(tree: ast.Module) -> set[ast.AST]:
    """Everything inside ``if TYPE_CHECKING:``."""
    guards = [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)]
    return {inner for guard in guards for statement in guard.body for inner in ast.walk(statement)}


def absolute(source: Source, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = source.module.split(".")
    if source.path.name != "__init__.py":
        package = package[:-1]
    kept = package[: len(package) - node.level + 1]
    return ".".join([*kept, *([node.module] if node.module else [])])


@functools.cache
def known_modules() -> frozenset[str]:
    return frozenset(source.module for source in sources())


def imported_module(name: str) -> str:
    """`name`, or the module it is a name in."""
    return name if name in known_modules() else name.rpartition(".")[0]


def listed(wrong: list[str]) -> str:
    return "\n" + "\n".join(wrong)


def test_every_module_has_a_floor() -> None:
    """Each module of the three packages stands on a floor of the plan."""
    wrong = [source.module for source in housed() if floor_of(source.module) is None]
    assert not wrong, listed(wrong)


def test_imports_point_down() -> None:
    """A module imports only from its own floor or lower ones."""
    wrong = []
    for source in housed():
        floor = floor_of(source.module)
        for line, name in imports(source):
            target = floor_of(imported_module(name))
            if floor is not None and target is not None and target > floor:
                wrong.append(f"{source.name}:{line}: floor {floor} imports {name} from floor {target}")
    assert not wrong, listed(wrong)


def test_no_import_goes_in_a_circle() -> None:
    """No module needs, by whatever way and however late, one that needs it; types alone don't count."""
    graph = {
        source.module: {imported_module(name) for _, name in imports(source, types_too=False)} - {source.module}
        for source in housed()
    }
    left = circling(graph)
    assert not left, listed([f"{module} -> {', '.join(sorted(targets))}" for module, targets in left.items()])
    assert circling({"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": {"e"}}) == {"b": {"c"}, "c": {"b"}}


def circling(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """The part of a graph that is in circles, or between two of them.

    It is what is left once all that reach nothing, or that nothing reaches, are gone, again and again.
    """
    left = {module: targets & graph.keys() for module, targets in graph.items()}
    while True:
        reached = {target for targets in left.values() for target in targets}
        staying = {module for module, targets in left.items() if targets and module in reached}
        if len(staying) == len(left):
            return left
        left = {module: left[module] & staying for module in left if module in staying}


def test_nothing_imports_ops_or_tests() -> None:
    """What serves knows neither the operator's tools nor the tests."""
    wrong = [
        f"{source.name}:{line}: {name}"
        for source in housed()
        for line, name in imports(source)
        if name.split(".")[0] in ("ops", "tests", "support", "grafana")
    ]
    assert not wrong, listed(wrong)


def test_logic_is_pure() -> None:
    """Modules of the lower floors import no loop, socket, file, clock, randomness, log or metric."""
    purity = PLAN["purity"]
    wrong = [
        f"{source.name}:{line}: imports {name}"
        for source in housed()
        if (floor_of(source.module) or 0) <= purity["highest_floor"] and not exempt(source.module)
        for line, name in imports(source, types_too=False)
        if name.split(".")[0] in purity["forbidden"] and name not in purity["allowed"]
        if not exempt(f"{source.module}:{name}")
    ]
    assert not wrong, listed(wrong)


def exempt(module: str, rule: str = "purity") -> bool:
    """Whether `module`, or ``module:import``, is listed with a reason."""
    return any(fnmatchcase(module, pattern) for pattern in PLAN[rule]["exempt"])


def test_the_world_comes_through_the_doors() -> None:
    """No module of any floor binds a clock or randomness of its own: a node is given them."""
    rule = PLAN["doors"]
    wrong = [
        f"{source.name}:{line}: imports {name}"
        for source in housed()
        if not exempt(source.module, "doors")
        for line, name in imports(source, types_too=False)
        if any(name == each or name.startswith(f"{each}.") for each in rule["forbidden"])
        if name not in rule["allowed"] and not exempt(f"{source.module}:{name}", "doors")
    ]
    assert not wrong, listed(wrong)


def test_generators_come_through_the_doors() -> None:
    """No module makes a generator of random numbers that nobody could have seeded."""
    wrong = [
        f"{source.name}:{node.lineno}: Random()"
        for source in housed()
        if not exempt(source.module, "doors")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Random"
        if not node.args
    ]
    assert not wrong, listed(wrong)


def test_files_change_names_and_are_synced_in_one_place() -> None:
    """No module renames a file or syncs one but the disk's door, or with a reason: so a power cut finds one order."""
    wrong = [
        f"{source.name}:{line}: {what}"
        for source in housed()
        if not exempt(source.module, "disk")
        for line, what in lasting(source.tree)
        if not exempt(f"{source.module}:{what}", "disk")
    ]
    assert not wrong, listed(wrong)
    code = "import os as o\nfrom os import replace\no.fsync(1)\npath.replace(new)\ntext.replace(a, b)\nold.rename(new)"
    assert list(lasting(ast.parse(code))) == [
        (2, "os.replace"),
        (3, "os.fsync"),
        (4, "Path.replace"),
        (6, "Path.rename"),
    ]


def lasting(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and name of each use of what gives a file another name, or has the disk hold it.

    A call of `replace` with one argument alone is taken for a path's: text's has two, a dataclass's has keywords.
    """
    functions = set(PLAN["disk"]["functions"])
    names = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name in ("os", "shutil")
    }
    found: set[tuple[int, str]] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in ("os", "shutil"):
            found |= {(node.lineno, f"os.{alias.name}") for alias in node.names if alias.name in functions}
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in names:
            found |= {(node.lineno, f"os.{node.attr}")} if node.attr in functions else set()
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            path_like = node.func.attr in ("rename", "replace") and len(node.args) == 1 and not node.keywords
            module = isinstance(node.func.value, ast.Name) and node.func.value.id in names
            found |= {(node.lineno, f"Path.{node.func.attr}")} if path_like and not module else set()
    yield from sorted(found)


def test_pure_modules_open_no_files() -> None:
    """Modules of the lower floors call neither open nor print nor input."""
    wrong = [
        f"{source.name}:{node.lineno}: {node.func.id}"
        for source in housed()
        if (floor_of(source.module) or 0) <= PLAN["purity"]["highest_floor"] and not exempt(source.module)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        if node.func.id in ("open", "print", "input")
    ]
    assert not wrong, listed(wrong)


def test_sizes() -> None:
    """Functions, classes and files are small enough to be read at once; data tables are listed by name."""
    sizes = PLAN["sizes"]
    wrong = []
    for source in sources():
        lines = source.text.count("\n")
        if lines > sizes["file_lines"] and source.name not in sizes["tables"]:
            wrong.append(f"{source.name}: {lines} lines")
        for node in ast.walk(source.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                most = sizes["function_lines"]
            elif isinstance(node, ast.ClassDef):
                most = sizes["class_lines"]
            else:
                continue
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > most and f"{source.name}:{node.name}" not in sizes["exempt"]:
                wrong.append(f"{source.name}:{node.lineno}: {node.name} has {length} lines")
    assert not wrong, listed(wrong)


def test_sizes_of_what_is_c() -> None:
    """Functions, classes and files of Cython are as small, their lines as short, and a .pyx says what it is."""
    sizes = PLAN["sizes"]
    banned = re.compile("|".join(rf"\b{re.escape(word)}\b" for word in PLAN["words"]["banned"]))
    wrong = []
    for path in sorted(
        path for folder in FOLDERS for suffix in ("pyx", "pxd") for path in (ROOT / folder).rglob(f"*.{suffix}")
    ):
        name = path.relative_to(ROOT).as_posix()
        lines = path.read_text().splitlines()
        if len(lines) > sizes["file_lines"]:
            wrong.append(f"{name}: {len(lines)} lines")
        if path.suffix == ".pyx" and not re.match(r'(#.*\n)*"""', path.read_text()):
            wrong.append(f"{name}: no docstring")
        wrong += [f"{name}:{i}: {len(line)} characters" for i, line in enumerate(lines, 1) if len(line) > 120]
        wrong += [f"{name}:{i}: {line.strip()}" for i, line in enumerate(lines, 1) if banned.search(line)]
        for i, words, length in blocks(lines):
            if length > sizes["class_lines" if "class" in words else "function_lines"]:
                wrong.append(f"{name}:{i}: {length} lines")
    assert not wrong, listed(wrong)


def blocks(lines: list[str]) -> Iterator[tuple[int, list[str], int]]:
    """Line, first words and length of each function and class of a Cython file."""
    for i, line in enumerate(lines):
        if re.match(r" *(def|cdef|cpdef)\b.*[:(]$", line):
            depth = len(line) - len(line.lstrip())
            inside = [
                j for j, other in enumerate(lines[i + 1 :], 1)
                if other.strip() and not other.startswith((" " * (depth + 1), " " * depth + ")"))
            ]  # fmt: skip
            block = lines[i : i + (inside[0] if inside else len(lines) - i)]
            yield i + 1, line.split()[:2], len("\n".join(block).rstrip().splitlines())


def test_no_unfinished_words() -> None:
    """No source says that it isn't finished."""
    banned = re.compile("|".join(rf"\b{re.escape(word)}\b" for word in PLAN["words"]["banned"]))
    wrong = [
        f"{source.name}:{number}: {line.strip()}"
        for source in sources()
        for number, line in enumerate(source.text.splitlines(), 1)
        if banned.search(line)
    ]
    assert not wrong, listed(wrong)


def test_plan_has_no_stale_entries() -> None:
    """What the plan names exists: exempt modules and long tables."""
    names = {source.name for source in sources()}
    wrong = [name for name in PLAN["sizes"]["tables"] if name not in names]
    assert not wrong, listed(wrong)


def test_hot_modules_exist() -> None:
    """setup.py compiles files that exist, and those that have a .pxd beside them (one by itself is C for others)."""
    hot = hot_modules()
    missing = [path for path in hot if not (ROOT / path).exists()]
    assert not missing, listed(missing)
    beside = {
        path.with_suffix(".py").relative_to(ROOT).as_posix()
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.pxd")
        if path.with_suffix(".py").exists() and not path.with_suffix(".pyx").exists()
    }
    forgotten = sorted(beside - set(hot))
    assert not forgotten, listed(forgotten)


def hot_modules() -> list[str]:
    tree = ast.parse((ROOT / "setup.py").read_text())
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "HOT":
            return list(ast.literal_eval(node.value))
    raise AssertionError("setup.py has no HOT")


def test_modules_and_tests_say_what_they_are() -> None:
    """Each module has a docstring, and each test one that states the truth it guards."""
    wrong = [
        f"{source.name}: no docstring" for source in sources() if source.text and not ast.get_docstring(source.tree)
    ]
    for source in sources():
        if source.module.startswith("tests."):
            wrong += [
                f"{source.name}:{node.lineno}: {node.name} has no docstring"
                for node in ast.walk(source.tree)
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
                if node.name.startswith("test_") and not ast.get_docstring(node)
            ]
    assert not wrong, listed(wrong)
