"""qemu-user and an arm64 CPython from Debian's packages, unpacked into a directory: the machine itself stays as it is.

apt works on directories of its own here, with the machine's sources and settings. So it neither needs root nor adds an
architecture to this machine's dpkg.
"""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from pathlib import Path

PACKAGES = ("python3-minimal", "libpython3-stdlib", "libstdc++6")  # of arm64, and what they depend on
EMULATOR = "qemu-user-static"  # of this machine's architecture
EMULATOR_FILES = ("./usr/bin/qemu-aarch64-static", "./usr/bin/qemu-aarch64")
MACHINE_SETTINGS = Path("/etc/apt/apt.conf.d")

SETTINGS = """\
Dir::State "{apt}/state";
Dir::State::status "{apt}/status";
Dir::Cache "{apt}/cache";
APT::Architecture "arm64";
APT::Architectures {{ "arm64"; "{host}"; }};
APT::Install-Recommends "false";
APT::Sandbox::User "root";
// The machine's own hooks would tidy up its own directories.
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
"""


class ArmError(Exception):
    """The arm64 environment can't be made here; says why, and what to do."""


def run(*command: str, env: dict[str, str] | None = None) -> str:
    """The output of a command. Raises `ArmError` with its last words if it fails."""
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise ArmError(f"`{' '.join(command[:3])} ...` failed with status {done.returncode}:\n{last}")
    return done.stdout


def unpack_debian(home: Path) -> None:
    """Make `home/root`, an arm64 root with Python, and `home/qemu`, the emulator. Takes 10 s and 80 MB of downloads.

    Raises `ArmError` where there is no apt, or its sources don't have arm64.
    """
    stamp = home / "root/.stamp"  # goes with what it vouches for
    wanted = " ".join((*PACKAGES, EMULATOR))
    if stamp.exists() and stamp.read_text() == wanted:
        return
    for tool in ("apt-get", "dpkg", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise ArmError(
                f"`{tool}` isn't on this machine. The arm64 packages are Debian's: run this on Debian 12 or later"
            )
    host = run("dpkg", "--print-architecture").strip()
    if host == "arm64":
        raise ArmError("this machine is aarch64 already, so nothing needs emulation: `make test` runs everything here")
    root = home / "root"
    (home / "qemu").unlink(missing_ok=True)
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    for package in _download(home / "apt", host):
        if package.name.startswith("qemu-"):
            _take_emulator(package, home / "qemu")
        else:
            run("dpkg-deb", "-x", str(package), str(root))
    if not (home / "qemu").exists():
        raise ArmError(f"Debian's `{EMULATOR}` has none of {', '.join(EMULATOR_FILES)}")
    shutil.rmtree(home / "apt")
    stamp.write_text(wanted)


def python_of(home: Path) -> Path:
    """The arm64 interpreter: .../usr/bin/python3.11 on Debian 12."""
    return (home / "root/usr/bin/python3").resolve()


def _download(apt: Path, host: str) -> list[Path]:
    shutil.rmtree(apt, ignore_errors=True)
    for part in ("state/lists/partial", "cache/archives/partial", "conf.d"):
        (apt / part).mkdir(parents=True)
    (apt / "status").touch()  # nothing is installed, so everything that Python needs is fetched
    if MACHINE_SETTINGS.is_dir():
        for file in MACHINE_SETTINGS.iterdir():
            (apt / "conf.d" / file.name).symlink_to(file)
    (apt / "conf.d" / "zz-private.conf").write_text(SETTINGS.format(apt=apt, host=host))
    first = apt / "first.conf"  # apt reads this before the machine's settings, and those of `conf.d` in their place
    first.write_text(f'Dir::Etc::parts "{apt}/conf.d";\n')
    env = {"APT_CONFIG": str(first), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
    run("apt-get", "update", env=env)
    try:
        run("apt-get", "install", "--download-only", "--yes", *PACKAGES, f"{EMULATOR}:{host}", env=env)
    except ArmError as error:
        raise ArmError(f"{error}\nfix  apt's sources must be Debian's, and must have arm64 too") from None
    return sorted((apt / "cache/archives").glob("*.deb"))


def _take_emulator(package: Path, to: Path) -> None:
    """Copy one emulator out of a package that has those of thirty architectures, 300 MB in all."""
    with (
        subprocess.Popen(("dpkg-deb", "--fsys-tarfile", str(package)), stdout=subprocess.PIPE) as unpacked,
        tarfile.open(fileobj=unpacked.stdout, mode="r|") as archive,
    ):
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            if content is not None and member.name in EMULATOR_FILES:
                to.write_bytes(content.read())
                to.chmod(0o755)
