"""The optimiser: LLVM's own O2 pipeline, built once for the process and run on every module.

Each default pipeline that is built leaks some 80 KB, and each run of one that isn't reused 130 KB (llvmlite 0.50):
too much for a service that replaces programs. Lists of single passes don't leak, but llvmlite offers neither LICM nor
GVN nor the vectorisers to them. What leaks is what is built, so one pipeline is built and kept; 2.5 KB a run remain.

A pipeline can be run again unless it has the usual inliner, which works on the call graph's components and hands its
inner passes away as it runs: a second run aborts the process. With LLVM's module inliner, which this file asks for,
nothing in it is used up. The code that comes out is the same.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from llvmlite import binding

from axiom_hw.bpf.engine.llvm.target import host

# Versions of LLVM whose pipeline was run again and again in tests. With any other a new one is built every time.
_REUSABLE: Final = range(20, 23)
_MODULE_INLINER: Final = "-enable-module-inliner"
_LEVEL: Final = 2


def optimise(module: Any) -> None:
    """Optimise a module in place. The caller holds `target.LOCK`."""
    tuning = _tuning()
    runner = binding.create_pass_builder(host().machine, tuning)  # serves one run: it remembers the last one's data
    if binding.llvm_version_info[0] in _REUSABLE:
        _pipeline()[1].run(module, runner)
    else:
        runner.getModulePassManager().run(module, runner)


@cache
def _pipeline() -> tuple[Any, Any]:
    """The pipeline, behind the builder that made it, on whose data it relies."""
    builder = binding.create_pass_builder(host().machine, _tuning())
    binding.set_option("axiom_hw", f"{_MODULE_INLINER}=1")
    try:
        return builder, builder.getModulePassManager()
    finally:
        binding.set_option("axiom_hw", f"{_MODULE_INLINER}=0")  # others may use LLVM in this process


@cache
def _tuning() -> Any:
    tuning = binding.create_pipeline_tuning_options(speed_level=_LEVEL)
    tuning.loop_vectorization = True
    tuning.slp_vectorization = True
    return tuning
