"""The .pxd beside a hot module says of its .py what is so: classes, fields, functions and how many arguments they take.

Compiled, a class has the fields that the .pxd names and no others, and a function the signature that stands there;
uncompiled nobody looks. So without this a difference shows in one of the two builds only.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAIRS = sorted(
    path.relative_to(ROOT).as_posix()
    for package in ("kvserver", "persistence", "replication")
    for path in (ROOT / package).rglob("*.pxd")
    if path.with_suffix(".py").exists() and not path.with_suffix(".pyx").exists()
)
TWINS = sorted(
    path.relative_to(ROOT).as_posix()
    for package in ("kvserver", "persistence", "replication")
    for path in (ROOT / package).rglob("*.pyx")
    if path.with_suffix(".py").exists()
)
_CLASS = re.compile(r"cdef class (\w+)(?:\((\w+)\))?:")
_FUNCTION = re.compile(r"(?:cdef|cpdef)\b[^(=]*?\b(\w+)\((.*)\)[^()]*:?$")
_FIELD = re.compile(r"cdef (?:public |readonly )?(?:unsigned )?(?:long long|long|[\w.]+)(?:\[[^\]]*\])?[\s*]+(.*)$")
FROM_C = ("__weakref__", "__dict__")
"""What Cython makes of a name by itself: no field of Python's."""


@dataclass
class Shape:
    """A class: the one it extends, its own fields, and its functions with the number of their arguments."""

    base: str = ""
    fields: set[str] = field(default_factory=set)
    functions: dict[str, int] = field(default_factory=dict)


Shapes = dict[str, Shape]
"""By class; what belongs to the module itself is under ""."""


def declared(text: str) -> Shapes:
    """What a .pxd declares; functions with a body in it (inline) are C's own."""
    shapes: Shapes = {"": Shape()}
    current = ""
    for line in _logical_lines(text):
        if not line.startswith(" "):
            current = ""
        words = line.strip()
        if found := _CLASS.match(words):
            current = found[1]
            shapes[current] = Shape(found[2] or "")
        elif words.startswith(("cdef inline", "cdef extern", "cdef enum", "cdef struct", "cdef union", "cdef const")):
            current = "-"
            shapes[current] = Shape()
        elif found := _FUNCTION.match(words):
            shapes[current].functions[found[1]] = _count(found[2])
        elif found := _FIELD.match(words):
            names = {name.strip().lstrip("*").partition("=")[0].strip() for name in found[1].split(",")}
            shapes[current].fields |= names - set(FROM_C)
    shapes.pop("-", None)
    return shapes


def _logical_lines(text: str) -> list[str]:
    """Lines without comments, those within brackets joined."""
    lines: list[str] = []
    depth = 0
    for raw in text.splitlines():
        line = raw.partition("#")[0].rstrip()
        if depth:
            lines[-1] += " " + line.strip()
        elif line:
            lines.append(line)
        depth += line.count("(") - line.count(")") + line.count("[") - line.count("]")
    return lines


def _count(arguments: str) -> int:
    return len([argument for argument in arguments.split(",") if argument.strip()])


def written(tree: ast.Module) -> Shapes:
    """What a .py has: its classes, and what its functions assign to ``self``."""
    shapes: Shapes = {"": Shape()}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            shapes[node.name] = _class(node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            shapes[""].functions[node.name] = _arguments(node)
        else:
            shapes[""].fields |= {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
    return shapes


def _class(node: ast.ClassDef) -> Shape:
    shape = Shape(node.bases[0].id if node.bases and isinstance(node.bases[0], ast.Name) else "")
    for inner in node.body:
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
            shape.functions[inner.name] = _arguments(inner)
            shape.fields |= {
                target.attr
                for target in ast.walk(inner)
                if isinstance(target, ast.Attribute) and isinstance(target.ctx, ast.Store)
                if isinstance(target.value, ast.Name) and target.value.id == "self"
            }
    return shape


def _arguments(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return len(node.args.posonlyargs) + len(node.args.args) + len(node.args.kwonlyargs)


def differences(pxd: Shapes, py: Shapes) -> list[str]:
    """What the two say differently, one line each."""
    wrong = []
    for name, shape in pxd.items():
        twin = py.get(name)
        if twin is None:
            wrong.append(f"class {name} is in the .pxd alone")
            continue
        label = name or "the module"
        wrong += [
            f"{label}: {function} is in the .pxd alone"
            for function in shape.functions.keys() - twin.functions.keys()
        ]
        wrong += [
            f"{label}: {function} takes {count} arguments in the .pxd, {twin.functions[function]} in the .py"
            for function, count in shape.functions.items()
            if function in twin.functions and twin.functions[function] != count
        ]
        wrong += [f"{label}: field {word} is in the .pxd alone" for word in shape.fields - twin.fields]
        if name:
            clashing = twin.functions.keys() & pxd[""].fields
            wrong += [f"{label}: {word} is a method and one of C's globals: Cython refuses that" for word in clashing]
        if name and (not shape.base or shape.base in pxd):
            inherited = pxd[shape.base].fields if shape.base else set()
            wrong += [f"{label}: field {word} is in the .py alone" for word in twin.fields - shape.fields - inherited]
            wrong += [f"{label}: extends {shape.base} in the .pxd, {twin.base} in the .py"] * (
                bool(shape.base) and shape.base != twin.base
            )
    return sorted(wrong)


def public(text: str) -> set[str]:
    """The functions that a module or its classes offer to Python, with the names of their arguments."""
    found = set()
    for offered, name, arguments in re.findall(r"^ *(def|cpdef [\w ]+?) (\w+)\((.*?)\)", text, re.MULTILINE):
        if not name.startswith("_") or name in ("__len__", "__iter__"):
            words = [argument.partition(":")[0].split()[-1] for argument in arguments.split(",") if argument.strip()]
            found.add(f"{name}({', '.join(words)})")
        assert offered
    return found


@pytest.mark.parametrize("path", TWINS)
def test_both_forms_of_a_module_offer_the_same(path: str) -> None:
    """A .pyx and the .py beside it, which does the same uncompiled, have the same public functions and arguments."""
    pyx = ROOT / path
    assert public(pyx.read_text()) == public(pyx.with_suffix(".py").read_text())


@pytest.mark.parametrize("path", PAIRS)
def test_a_pxd_says_what_its_module_is(path: str) -> None:
    """Each .pxd names the classes, fields and functions of its .py, with as many arguments, and misses no field."""
    pxd = ROOT / path
    tree = ast.parse(pxd.with_suffix(".py").read_text())
    wrong = differences(declared(pxd.read_text()), written(tree))
    assert not wrong, "\n" + "\n".join(wrong)


PXD = """
import cython
cdef int _most
cdef class A:
    cdef public long long x, y
    cdef dict* z
    @cython.locals(i=int, j=int,
                   k=int)
    cpdef bint f(self, list a,
                 b) except -1
cdef class B(A):
    cdef public object w
cdef inline int fast(int n):
    return n
cpdef bytes g(a)
"""
PY = """
_most = 3
class A:
    def __init__(self):
        self.x = self.y = self.z = 0
    def f(self, a, b):
        return a
class B(A):
    def __init__(self):
        self.w, self.x = 1, 2
def g(a):
    pass
"""


def test_equal_ones_pass() -> None:
    """Fields of a base class count, and so do several in one line."""
    assert differences(declared(PXD), written(ast.parse(PY))) == []


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("self.w, self.x", "self.v, self.x", ["B: field v is in the .py alone", "B: field w is in the .pxd alone"]),
        ("def f(self, a, b)", "def f(self, a)", ["A: f takes 3 arguments in the .pxd, 2 in the .py"]),
        ("def g(a)", "def h(a)", ["the module: g is in the .pxd alone"]),
        ("class B(A)", "class C(A)", ["class B is in the .pxd alone"]),
        ("_most", "_least", ["the module: field _most is in the .pxd alone"]),
        (
            "def f(self, a, b)",
            "def _most(self): pass\n    def f(self, a, b)",
            ["A: _most is a method and one of C's globals: Cython refuses that"],
        ),
        ("class B(A)", "class B", ["B: extends A in the .pxd,  in the .py"]),
    ],
)
def test_each_difference_is_found(old: str, new: str, why: list[str]) -> None:
    """Whatever differs is named."""
    assert differences(declared(PXD), written(ast.parse(PY.replace(old, new)))) == why
