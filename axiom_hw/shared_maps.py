"""The maps of an app by name: programs and the app that declare one name share one map, and must mean the same."""

from __future__ import annotations

from itertools import count
from pathlib import PurePath

from axiom_hw.bpf.maps import Map, create_map
from axiom_hw.bpf.spec import MapSpec
from axiom_hw.errors import SpecError

_MEANT = ("type", "key_size", "value_size", "max_entries")


class SharedMaps:
    """Maps by name. `seed` decides the order of hash maps.

    Synchronization: one thread declares; the maps themselves say their own.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._maps: dict[str, Map] = {}

    def all(self) -> dict[str, Map]:
        """Every map by name, in the order of declaration."""
        return dict(self._maps)

    def declare(self, wanted: MapSpec, *, any_entries: bool = False) -> Map:
        """What the app declares: the map of that name, made if it is new. `any_entries` takes what is there.

        Raises `SpecError` where another declaration of the name says something else, `MapError` for what no map is.
        """
        found = self._maps.get(wanted.name)
        if found is None:
            return self._make(wanted.name, wanted)
        _agree(found.spec, wanted, [what for what in _MEANT if what != "max_entries" or not any_entries])
        return found

    def bind(self, file: str, declared: tuple[MapSpec, ...], bound: dict[str, Map]) -> tuple[Map, ...]:
        """What a program of `file` declares, in its order. `bound` has what other programs of the file were given.

        Global variables (`.data`, `.bss`, `.rodata`) belong to their file: those of heartbeat.bpf.o are listed as
        `heartbeat.data`.
        """
        for spec in declared:
            if spec.name not in bound:
                bound[spec.name] = self._private(file, spec) if spec.name.startswith(".") else self._shared(spec)
        return tuple(bound[spec.name] for spec in declared)

    def _shared(self, spec: MapSpec) -> Map:
        if spec.pinned:
            raise SpecError(
                f"map {spec.name}", "is declared as pinned; the maps of an App live and end with it",
                "leave `pinning` out of the declaration",
            )  # fmt: skip
        found = self._maps.get(spec.name)
        if found is None:
            return self._make(spec.name, spec)
        _agree(found.spec, spec, (*_MEANT, "flags", "frozen", "data"))
        return found

    def _private(self, file: str, spec: MapSpec) -> Map:
        owner = PurePath(file).name.split(".")[0]
        names = (f"{owner}{'' if n == 1 else f'#{n}'}{spec.name}" for n in count(1))
        return self._make(next(name for name in names if name not in self._maps), spec)

    def _make(self, name: str, spec: MapSpec) -> Map:
        self._maps[name] = made = create_map(spec, seed=self._seed)
        return made


def _agree(first: MapSpec, second: MapSpec, fields: list[str] | tuple[str, ...]) -> None:
    for what in fields:
        one, two = _shown(getattr(first, what)), _shown(getattr(second, what))
        if one != two:
            raise SpecError(
                f"map {first.name}", f"is declared twice, with {what} {one} and with {two}",
                "declare it the same in the app and in each program; an app that declares it after load(), and without "
                "a size, takes what the program says",
            )  # fmt: skip


def _shown(value: object) -> object:
    if isinstance(value, bytes):
        return f"{value[:16].hex(' ')}{'...' if len(value) > 16 else ''} ({len(value)} bytes)"
    return getattr(value, "name", value)
