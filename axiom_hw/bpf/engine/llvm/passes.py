"""The optimiser: map operations are inlined first, what is left goes through LLVM's own O2 pipeline.

LLVM's pipelines can't be run twice: their passes keep what they saw. So each module gets new ones, and these must be
given back by hand: llvmlite 0.50 forgets to, and 130 KB a program would stay for ever, too much for a service that
replaces programs. 2 KB remain.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from llvmlite import binding
from llvmlite.binding import ffi
from llvmlite.binding.newpassmanagers import NewPassManager

from axiom_hw.bpf.engine.llvm.target import host

_LEVEL: Final = 2


def optimise(module: Any) -> None:
    """Optimise a module in place. The caller holds `target.LOCK`."""
    early = binding.create_new_module_pass_manager()
    # What is inlined is small by then, and gone as a function of its own: the pipeline takes half the time.
    early.add_sroa_pass()
    early.add_simplify_cfg_pass()
    early.add_always_inliner_pass()
    early.add_global_dead_code_eliminate_pass()
    _run(early, module, _builder())
    builder = _builder()
    _run(builder.getModulePassManager(), module, builder)


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
