"""The optimiser: LLVM's own O2 pipeline, built once for the process and run on every module.

Each default pipeline that is built leaks some 80 KB, and each run of one that isn't reused 130 KB (llvmlite 0.50):
too much for a service that replaces programs. Lists of single passes don't leak, but llvmlite offers neither LICM nor
GVN nor the vectorisers to them. What leaks is what is built, so one pipeline is built and kept; 2.5 KB a run remain.

A pipeline can be run again unless it has the usual inliner, which works on the call graph's components and hands its
inner passes away as it runs: a second run aborts the process. With LLVM's module inliner, which this file asks for,
nothing in it is used up. The code that comes out is the same.

One pass of it remembers the module's own functions from run to run and aborts the process when it meets an address
again: the elimination of dead arguments, before any inlining. So what must be inlined is, first, by a pass of our own,
and the functions that are left look as if others could call them until the pipeline is done.
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
    _run(module, "add_always_inliner_pass")
    own = [function for function in module.functions if not function.is_declaration and _is_local(function)]
    for function in own:
        function.linkage = binding.Linkage.external
        function.visibility = binding.Visibility.hidden
    runner = binding.create_pass_builder(host().machine, tuning)  # serves one run: it remembers the last one's data
    if binding.llvm_version_info[0] in _REUSABLE:
        _pipeline()[1].run(module, runner)
    else:
        runner.getModulePassManager().run(module, runner)
    if own:
        for function in own:
            function.visibility = binding.Visibility.default
            function.linkage = binding.Linkage.internal
        _run(module, "add_global_dead_code_eliminate_pass")


def _is_local(function: Any) -> bool:
    return function.linkage in (binding.Linkage.internal, binding.Linkage.private)


def _run(module: Any, add: str) -> None:
    """Run one pass, which is made for this run: it leaks little."""
    passes = binding.create_new_module_pass_manager()
    getattr(passes, add)()
    passes.run(module, binding.create_pass_builder(host().machine, _tuning()))


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
