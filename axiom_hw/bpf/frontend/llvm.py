"""LLVM IR text to a BPF object. What it does depends on the text alone: the same text gives the same bytes.

The passes are listed one by one, because a default pipeline leaks 80 KB each time one is made, and even this list 26 KB
(llvmlite 0.50). So it is made once, and run on every module; none of its passes keeps anything from run to run. More of
them aren't needed: the native engine optimises what comes out of here again, with types and for the host. NewGVN is
left out here and there, for the 1 % that it saves: it gives up on some loops by ending the process (an assertion).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any, Final

from axiom_hw.errors import MissingDependency

HEADER: Final = 'target triple = "bpfel"\ntarget datalayout = "e-m:e-p:64:64-i64:64-i128:128-n32:64-S128"\n'
_CPU: Final = "v4"  # signed division, sign-extending moves and loads
_PASSES: Final = (
    "always_inliner", "global_dead_code_eliminate", "sroa", "instruction_combine", "simplify_cfg", "sccp",
    "jump_threading", "instruction_combine", "simplify_cfg", "loop_simplify", "loop_rotate", "instruction_combine",
    "loop_deletion", "aggressive_dce", "dead_store_elimination", "instruction_combine", "simplify_cfg",
    "global_dead_code_eliminate",
)  # fmt: skip
# What these passes make of `a > 0xFFFF_FFFF_FFFF_FFFF // b`. For BPF, LLVM has no code for it, and ends the process.
_OVERFLOW: Final = "llvm.umul.with.overflow.i64"
_OVERFLOW_WRITTEN_OUT: Final = """
define internal { i64, i1 } @multiply(i64 %a, i64 %b) alwaysinline nounwind {
  %none = icmp eq i64 %b, 0
  %divisor = select i1 %none, i64 1, i64 %b
  %most = udiv i64 -1, %divisor
  %over = icmp ugt i64 %a, %most
  %product = mul i64 %a, %b
  %half = insertvalue { i64, i1 } poison, i64 %product, 0
  %both = insertvalue { i64, i1 } %half, i1 %over, 1
  ret { i64, i1 } %both
}
"""
_LOCK: Final = Lock()  # the passes and the machine are one for the process


def emit_object(text: str) -> bytes:
    """The object of a module. Raises `MissingDependency` without llvmlite."""
    with _LOCK, _optimised(text) as module:
        made: bytes = _machine().emit_object(module)
        return made


def emit_ir(text: str) -> str:
    """The module as it is before instructions are chosen: for tests, and for people who are curious."""
    with _LOCK, _optimised(text) as module:
        return str(module)


@contextmanager
def _optimised(text: str) -> Iterator[Any]:
    """A module in a context of its own, which keeps nothing when it is closed."""
    binding = _llvm()
    with binding.create_context() as context, binding.parse_assembly(HEADER + text, context=context) as module:
        module.verify()
        # A builder for each run: it remembers what the run found out about the module.
        with binding.create_pass_builder(_machine(), _tuning()) as builder:
            _passes().run(module, builder)
        if all(function.name != _OVERFLOW for function in module.functions):
            yield module
            return
        again = re.sub(rf"^declare .*@{re.escape(_OVERFLOW)}\(.*$", _OVERFLOW_WRITTEN_OUT, str(module), flags=re.M)
        with binding.parse_assembly(again.replace(f"@{_OVERFLOW}", "@multiply"), context=context) as module:
            with binding.create_pass_builder(_machine(), _tuning()) as builder:
                _inliner().run(module, builder)
            yield module


@cache
def _passes() -> Any:
    made = _llvm().create_new_module_pass_manager()
    for name in _PASSES:
        getattr(made, f"add_{name}_pass")()
    return made


@cache
def _inliner() -> Any:
    made = _llvm().create_new_module_pass_manager()
    made.add_always_inliner_pass()
    made.add_global_dead_code_eliminate_pass()
    return made


def _llvm() -> Any:
    try:
        from llvmlite import binding
    except ImportError:
        raise MissingDependency(
            "llvmlite", "isn't installed; programs in Python are compiled with it", "pip install llvmlite"
        ) from None
    return binding


@cache
def _machine() -> Any:
    binding = _llvm()
    # Where a frame is larger than this, LLVM ends the process. The verifier refuses more than 512 bytes, with the line.
    binding.set_option("", "-bpf-stack-size=1000000")
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    return binding.Target.from_triple("bpfel").create_target_machine(cpu=_CPU, opt=2, reloc="pic")


@cache
def _tuning() -> Any:
    return _llvm().create_pipeline_tuning_options()
