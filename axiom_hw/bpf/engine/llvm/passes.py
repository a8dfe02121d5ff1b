"""The optimiser: map operations are inlined first, what is left goes through LLVM's own O2 pipeline.

A program without loops has no use for most of that: a short list of passes gives code that is as good (within 5 % on
the event program and on generated ones) in a third of the time.

LLVM's pipelines can't be run twice: their passes keep what they saw. So each module gets new ones, and these must be
given back by hand: llvmlite 0.50 forgets to, and 130 KB a program would stay for ever, too much for a service that
replaces programs. 2 KB remain.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from llvmlite import binding
from llvmlite.binding import ffi
from llvmlite.binding.newpassmanagers import NewPassManager

from axiom_hw.bpf.engine.llvm.target import host

_LEVEL: Final = 2

# What is inlined is small by then, and gone as a function of its own: all that follows takes half the time.
_FIRST: Final = ("sroa", "simplify_cfg", "always_inliner", "global_dead_code_eliminate")

# The loops here are those of map operations: copies, which are unrolled, and swaps that are tried again.
_WITHOUT_LOOPS: Final = (
    "sroa", "instruction_combine", "simplify_cfg", "loop_rotate", "loop_unroll", "jump_threading",
    "instruction_combine", "dead_store_elimination", "simplify_cfg", "sroa", "instruction_combine", "aggressive_dce",
    "simplify_cfg",
)  # fmt: skip


def optimise(module: Any, *, loops: bool = True) -> None:
    """Optimise a module in place; `loops` says whether it has any that matter. The caller holds `target.LOCK`."""
    simplify(module)
    if loops:
        builder = _builder()
        _run(builder.getModulePassManager(), module, builder)
    else:
        _run(_listed(_WITHOUT_LOOPS), module, _builder())


def simplify(module: Any) -> None:
    """What is done for quick code too, because there is less to generate then. The caller holds `target.LOCK`."""
    _run(_listed(_FIRST), module, _builder())


def _listed(names: Sequence[str]) -> Any:
    passes = binding.create_new_module_pass_manager()
    for name in names:
        getattr(passes, f"add_{name}_pass")()
    return passes


def _run(passes: Any, module: Any, builder: Any) -> None:
    """Run passes once, by a builder that has run none."""
    try:
        passes.run(module, builder)
    finally:
        if type(passes)._dispose is ffi.ObjectRef._dispose:  # which does nothing, and hides the one that is meant
            NewPassManager._dispose(passes)
        passes.close()
        builder.close()


def _builder() -> Any:
    return binding.create_pass_builder(host().machine, _tuning())


@cache
def _tuning() -> Any:
    tuning = binding.create_pipeline_tuning_options(speed_level=_LEVEL)
    tuning.loop_vectorization = True
    tuning.slp_vectorization = True
    return tuning
