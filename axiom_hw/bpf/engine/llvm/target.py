"""The processor that this process runs on, as LLVM knows it: a target machine for fast code, and one that is quick."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import llvmlite
from llvmlite import binding

# Guards whatever LLVM shares: the target machine, the passes, the loaded code. LLVM's own objects aren't safe.
LOCK: Final = threading.RLock()


@dataclass(frozen=True, slots=True)
class Host:
    """What code is made for. `identity` names all that the code depends on; `preamble` opens every module.

    `machine` makes the fastest code; `quick` takes a fifth of its time, and what it makes is slower.
    """

    machine: Any  # llvmlite's TargetMachine; its package has no type hints
    quick: Any
    triple: str
    cpu: str
    features: str
    preamble: str

    @property
    def identity(self) -> str:
        """The processor and the compiler: code made for another identity isn't for this machine."""
        return f"{self.triple} {self.cpu} {self.features} llvmlite {llvmlite.__version__} LLVM {llvm_version()}"


@cache
def host() -> Host:
    """This machine. The first call takes about 10 ms."""
    with LOCK:
        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
        target = binding.Target.from_default_triple()
        cpu = binding.get_host_cpu_name()
        features = _features()
        machine, quick = (
            target.create_target_machine(cpu=cpu, features=features, opt=opt, reloc="pic", codemodel="small")
            for opt in (2, 0)
        )
        preamble = f'target datalayout = "{machine.target_data}"\ntarget triple = "{machine.triple}"\n'
        return Host(machine, quick, machine.triple, cpu, features, preamble)


def _features() -> str:
    """What the processor can do, without what makes LLVM's code slower.

    With BMI a clamp at 0 becomes ANDN, which hides it from the pass that turns conditional moves in loops into
    branches: a PID controller took 185 ns with it, 131 without (Sapphire Rapids, LLVM 22).
    """
    found = binding.get_host_cpu_features()
    if "bmi" in found:
        found["bmi"] = False
    flat: str = found.flatten()
    return flat


def llvm_version() -> str:
    """As in "22.1.0"."""
    return ".".join(map(str, binding.llvm_version_info))
