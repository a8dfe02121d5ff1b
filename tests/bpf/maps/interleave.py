"""Map operations one primitive at a time: their source, turned into generators that a scheduler steps in any order.

Threads meet the rare orders rarely. Here each load, store and swap is a step, a seed decides whose turn it is, and an
order that breaks something can be run again.
"""

from __future__ import annotations

import ast
import inspect
import random
from collections.abc import Callable, Generator
from types import ModuleType
from typing import Any

from axiom_hw.bpf.maps import mem

Steps = Generator[None, None, Any]
PRIMITIVES = {name for name, f in inspect.getmembers(mem, inspect.isfunction) if not name.startswith("_")}


def stepwise(module: ModuleType) -> dict[str, Callable[..., Steps]]:
    """The functions of a module that touch memory, as generators that stop before each primitive."""
    tree = ast.parse(inspect.getsource(module))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    touching: set[str] = set()
    while grown := {name for name, f in functions.items() if _calls(f) & (PRIMITIVES | touching)} - touching:
        touching |= grown
    for name in touching:
        _Stepper(touching).visit(functions[name])
    made = ast.Module([functions[name] for name in sorted(touching)], [])
    names: dict[str, Any] = {**vars(module), "_step": _step}
    exec(
        compile(ast.fix_missing_locations(made), module.__name__, "exec"),
        names,
    )
    return {name: names[name] for name in touching}


def run(threads: list[Steps], seed: int, watch: Callable[[], None] = lambda: None) -> None:
    """Step the threads to their ends, in an order that the seed decides. `watch` is called after each step."""
    choice = random.Random(seed)
    waiting = list(threads)
    while waiting:
        thread = choice.choice(waiting)
        for _ in range(choice.choice((1, 1, 2, 5, 20))):
            try:
                next(thread)
            except StopIteration:
                waiting.remove(thread)
                break
            finally:
                watch()


def _step(primitive: Callable[..., Any], *args: Any) -> Steps:
    yield
    return primitive(*args)


def _calls(node: ast.AST) -> set[str]:
    return {n.func.id for n in ast.walk(node) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}


class _Stepper(ast.NodeTransformer):
    def __init__(self, touching: set[str]) -> None:
        self.touching = touching

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        assert isinstance(node.func, ast.Name), "map operations call functions by name only"
        if node.func.id in PRIMITIVES:
            return ast.YieldFrom(ast.Call(ast.Name("_step", ast.Load()), [node.func, *node.args], []))
        return ast.YieldFrom(node) if node.func.id in self.touching else node
