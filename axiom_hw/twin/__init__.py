"""The twin of a Raspberry Pi 5: a real kernel with real drivers and simulated devices, in QEMU on this machine.

    with Twin.boot() as twin:
        done = twin.run(["axiom-hw", "doctor"], timeout=30)
        twin.world.pull("GPIO17", 0)

twin        the machine, and commands in it           world      what is wired to it
kernel      the kernel and gpio-sim, built once       machine    QEMU's command line and process
channel     frames to and from guest/, the agent      cache      what was built
"""

from axiom_hw.errors import TwinError
from axiom_hw.twin.running import Done, Running
from axiom_hw.twin.twin import Twin
from axiom_hw.twin.world import World

__all__ = ["Done", "Running", "Twin", "TwinError", "World"]
