"""`axiom-hw twin`: a Pi 5's twin in QEMU. Run commands in it, be the world around it, install what it needs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from axiom_hw.cli.twin_world import register_world
from axiom_hw.errors import TwinError

if TYPE_CHECKING:
    from axiom_hw.twin import Twin

_NAME = Annotated[str, typer.Option(metavar="NAME", help="Which twin, where several run")]


class Root(StrEnum):
    """What the guest's files are."""

    HOST = "host"
    DEBIAN = "debian"


_ROOT = Annotated[Root, typer.Option(help="The guest's files: this machine's, read-only; or a small Debian's")]
_SSH = Annotated[int, typer.Option(metavar="PORT", help="With --root debian: its SSH server, on 127.0.0.1")]
_KEY = Annotated[
    Path | None, typer.Option(metavar="FILE", help="With --ssh: the public key that may log in as pi", exists=True)
]
_DISK = Annotated[
    Path | None, typer.Option(metavar="FILE", help="With --root debian: a disk that keeps what is written")
]
_TIMEOUT = Annotated[float, typer.Option(metavar="SECONDS", help="How long a boot may take")]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    about = "A Pi 5's twin: a real kernel with simulated devices, in QEMU."
    verbs = typer.Typer(help=about, invoke_without_command=True, rich_markup_mode=None)
    verbs.callback()(status)
    open_end = {"allow_extra_args": True, "ignore_unknown_options": True}
    verbs.command("setup")(setup)
    verbs.command("build")(build)
    verbs.command("boot")(boot)
    verbs.command("run", context_settings=open_end)(run)
    verbs.command("demo", context_settings=open_end)(demo)
    verbs.command("shell")(shell)
    register_world(verbs)
    verbs.command("off")(off)
    verbs.command("clean")(clean)
    app.add_typer(verbs, name="twin")


def status(context: typer.Context) -> None:
    """A Pi 5's twin: a real kernel with simulated devices, in QEMU. Alone, it says where things stand."""
    if context.invoked_subcommand is not None:
        return
    from axiom_hw.twin import Twin
    from axiom_hw.twin.cache import cache_directory, size_of
    from axiom_hw.twin.control import socket_path
    from axiom_hw.twin.debian_root import built_images
    from axiom_hw.twin.kernel import built_kernels
    from axiom_hw.twin.needs import missing

    lacking = missing()
    for need in lacking:
        typer.echo(f"missing  {need.program}: {need.purpose} (package {need.package})")
    if lacking:
        typer.echo("         `axiom-hw twin setup` installs what is missing")
    cache = cache_directory()
    size = f"{size_of(cache) / 1e6:.0f} MB" if cache.is_dir() else "nothing"
    typer.echo(f"cache    {cache}: {size}")
    for kernel in built_kernels(cache):
        typer.echo(f"kernel   {kernel.release}, with gpio-sim")
    if not built_kernels(cache):
        typer.echo("kernel   not built yet: the first boot does it, or `axiom-hw twin build`")
    typer.echo(
        "debian   built" if built_images(cache) else "debian   not built yet: the first boot with --root debian does"
    )
    directory = socket_path().parent
    for path in sorted(directory.glob("*.sock")) if directory.is_dir() else ():
        twin = Twin.attach(path.stem)
        if twin is not None:
            about = twin.about
            ssh = f", SSH on 127.0.0.1:{about.ssh}" if about.ssh else ""
            typer.echo(
                f"running  {path.stem}: root {about.root}, process {about.pid}{ssh}; it took {about.boot_s} s to boot"
            )
            twin.close()


def setup() -> None:
    """Install what the twin needs, on Debian: QEMU, a compiler, tools. Takes root; says the line for sudo without."""
    from axiom_hw.twin.needs import install, missing

    if not missing():
        typer.echo("everything that the twin needs is here")
        return
    install()
    for need in missing():
        raise TwinError(need.program, f"still isn't there, and {need.package} was installed", "is it in PATH?")
    typer.echo("everything that the twin needs is here now: `axiom-hw twin run -- axiom-hw doctor`")


def build(
    root: _ROOT = Root.HOST,
    update: Annotated[bool, typer.Option("--update", help="Take Debian's newest kernel, where it is newer")] = False,
) -> None:
    """Build the kernel with gpio-sim, and with --root debian the small Debian: as the first boot would."""
    from axiom_hw.twin.debian_root import debian_image
    from axiom_hw.twin.kernel import kernel, newer_kernel

    built = newer_kernel(_say) if update else kernel(_say)
    typer.echo(f"kernel   {built.release}, with gpio-sim: {built.directory}")
    if root is Root.DEBIAN:
        typer.echo(f"debian   {debian_image(_say)}")


def boot(
    root: _ROOT = Root.HOST,
    ssh: _SSH = 0,
    key: _KEY = None,
    disk: _DISK = None,
    memory: Annotated[int, typer.Option(metavar="MB", help="The guest's memory")] = 1024,
    timeout: _TIMEOUT = 300.0,
    name: _NAME = "twin",
) -> None:
    """Boot a twin and leave it on for other commands, until Ctrl-C or `axiom-hw twin off`."""
    from axiom_hw.twin import Twin
    from axiom_hw.twin.control import socket_path

    _check_free(name)
    authorized = key.read_text() if key is not None else ""
    with Twin.boot(
        root=root.value, ssh=ssh, authorized_key=authorized, disk=disk, memory_mb=memory, timeout_s=timeout, say=_say
    ) as twin:
        served = twin.serve(name)
        try:
            typer.echo(f"Linux {twin.about.release} is up after {twin.about.boot_s} s; {socket_path(name)}", err=True)
            if ssh:
                typer.echo(f"ssh -p {ssh} pi@127.0.0.1", err=True)
            typer.echo("Ctrl-C switches it off", err=True)
            while twin.is_running and not served.wait(0.5):
                pass
        finally:
            served.close()
    typer.echo("the twin is off", err=True)


def run(
    context: typer.Context,
    terminal: Annotated[bool, typer.Option("--terminal", "-t", help="Give the command a terminal")] = False,
    root: _ROOT = Root.HOST,
    timeout: _TIMEOUT = 300.0,
    name: _NAME = "twin",
) -> None:
    """Run a command: `axiom-hw twin run -- COMMAND ...`. Exits as the command does.

    It runs in the twin that is on, or in one of its own, which other terminals can reach meanwhile.

    Ctrl-C interrupts the command; a second one cuts the power.
    """
    if not context.args:
        raise TwinError("axiom-hw twin run", "lacks the command", "axiom-hw twin run -- axiom-hw doctor")
    _in_twin(context.args, terminal, root, timeout, name)


def demo(
    context: typer.Context,
    demo_name: Annotated[str, typer.Argument(metavar="NAME", help="Of a demo, as `axiom-hw demo` lists them")],
    board: Annotated[str, typer.Option(metavar="NAME", help="The board file")] = "rpi5-bench",
    timeout: _TIMEOUT = 300.0,
    name: _NAME = "twin",
) -> None:
    """Run a demo on the twin's devices, until Ctrl-C. From another terminal: `axiom-hw twin pull GPIO17 0`."""
    from axiom_hw.cli.demo import demos

    known = {one.name: one for one in demos()}
    if demo_name not in known:
        raise TwinError(f"demo {demo_name}", "is none", f"there are {', '.join(known)}")
    command = [sys.executable, "-m", "axiom_hw", "run", str(known[demo_name].path.resolve()), "--board", board]
    _in_twin([*command, *context.args], False, Root.HOST, timeout, name)


def shell(root: _ROOT = Root.HOST, timeout: _TIMEOUT = 300.0, name: _NAME = "twin") -> None:
    """A shell in the twin. `exit` leaves it."""
    _in_twin(["bash"], True, root, timeout, name)


def off(name: _NAME = "twin") -> None:
    """Switch a running twin off."""
    from axiom_hw.cli.twin_world import attached

    with attached(name) as twin:
        twin.switch_off()


def clean() -> None:
    """Remove what was built and downloaded. The next boot builds anew."""
    from axiom_hw.twin.cache import cache_directory
    from axiom_hw.twin.cache import clean as clean_cache

    cache = cache_directory()
    typer.echo(f"{cache}: {clean_cache(cache, _say) / 1e6:.0f} MB removed")


def _in_twin(command: list[str], terminal: bool, root: Root, timeout: float, name: str) -> None:
    from axiom_hw.cli.twin_run import follow

    with _twin(root, timeout, name) as twin:
        raise typer.Exit(follow(twin, command, terminal))


@contextmanager
def _twin(root: Root, timeout: float, name: str) -> Iterator[Twin]:
    """The twin that is on, or a new one, which goes off at the end."""
    from axiom_hw.twin import Twin

    running = Twin.attach(name)
    if running is not None:
        if running.about.root != root.value and root is not Root.HOST:
            problem = f"runs with the root {running.about.root}"
            raise TwinError(f"the twin called {name}", problem, "give the other one a --name of its own")
        try:
            yield running
        finally:
            running.close()
        return
    with Twin.boot(root=root.value, timeout_s=timeout, say=_say) as twin:
        served = twin.serve(name)
        try:
            yield twin
        finally:
            served.close()


def _check_free(name: str) -> None:
    """Before a boot, not after it."""
    from axiom_hw.twin import Twin
    from axiom_hw.twin.control import already_running, socket_path

    if (running := Twin.attach(name)) is not None:
        running.close()
        raise already_running(socket_path(name))


def _say(line: str) -> None:
    typer.echo(f"twin: {line}", err=True)
