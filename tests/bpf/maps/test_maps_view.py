"""Views: maps as mappings, with types, and errors that name map, key and limit."""

from __future__ import annotations

from typing import Annotated

import pytest

from axiom_hw.bpf.layout import S16, U64, Field, Layout, Scalar, array_of, layout, s16, s32, u8, u32, u64, zeros
from axiom_hw.bpf.maps import ArrayView, HashView, create_map, view_of
from axiom_hw.bpf.spec import MapSpec, MapType
from axiom_hw.errors import MapError, MapFull, MapKeyError, SpecError


@layout(size=16)
class Stats:
    """What a program keeps per tag."""

    hits: u64
    last: s32
    kind: u8


@layout
class Window:
    """Fields that are arrays, as a checker understands them and as a person writes them."""

    seen: u64
    samples: Annotated[list[int], array_of(s16, 3)]
    sums: array_of(u32, 2)  # type: ignore[valid-type]


def array(value_size: int = 8, entries: int = 4, value: object = None, **more: object) -> ArrayView[object]:
    view = view_of(create_map(MapSpec("presses", MapType.ARRAY, 4, value_size, entries, **more)), value=value)  # type: ignore[arg-type]
    assert isinstance(view, ArrayView)
    return view


def hashed(key: object = u32, value: object = u64, entries: int = 3, **more: object) -> HashView[object, object]:
    sizes = {"key_size": 4, "value_size": 8} | more
    view = view_of(create_map(MapSpec("tags", MapType.HASH, max_entries=entries, **sizes)), key, value)  # type: ignore[arg-type]
    assert isinstance(view, HashView)
    return view


def test_an_array_counts() -> None:
    presses = array(value=u64)
    presses[0] += 1  # type: ignore[operator]
    presses[0] += 1  # type: ignore[operator]
    presses[3] = 2**64 - 1
    assert dict(presses) == {0: 2, 1: 0, 2: 0, 3: 2**64 - 1}
    assert (len(presses), 3 in presses, 4 in presses, "x" in presses, presses.get(9)) == (4, True, False, False, None)
    assert list(presses.values()) == [2, 0, 0, 2**64 - 1]
    assert repr(presses) == "<array presses: 4 of u64>"


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (4, "map presses: has no index 4; it has 4, from 0 to 3"),
        (-1, "map presses: has no index -1; it has 4, from 0 to 3"),
        ("a", "map presses: 'a' is no index; an array's keys are ints from 0 to 3"),
    ],
)
def test_an_index_that_isn_t_there(index: int, message: str) -> None:
    presses = array(value=u64)
    for access in (lambda: presses[index], lambda: presses.__setitem__(index, 1)):
        with pytest.raises(KeyError) as caught:
            access()
        assert isinstance(caught.value, MapKeyError)
        assert str(caught.value) == message


def test_values_that_don_t_fit_change_nothing() -> None:
    presses = array(value=u64)
    for value in (-1, 2**64, "one", 1.0):
        with pytest.raises(MapError, match=r"map presses: .* doesn't fit: u64 holds 0 to 18446744073709551615"):
            presses[0] = value
    with pytest.raises(MapError, match="can't forget index 0: the entries of an array are there for good"):
        del presses[0]
    assert presses[0] == 0


def test_values_can_be_structs_bytes_or_signed() -> None:
    stats = array(16, value=Stats)
    stats[1] = Stats(7, -7, 3)
    assert stats[1] == Stats(hits=7, last=-7, kind=3)
    with pytest.raises(MapError, match="map presses: 3 is no Stats"):
        stats[1] = 3
    with pytest.raises(MapError, match=r"map presses: Stats.kind: 256 doesn't fit; u8 holds 0 to 255"):
        stats[1] = Stats(7, -7, 256)
    raw = array(3)
    raw[0] = b"abc"
    assert raw[0] == b"abc"
    with pytest.raises(MapError, match="map presses: takes 3 bytes, got 2"):
        raw[0] = b"ab"
    with pytest.raises(MapError, match="map presses: 5 isn't bytes"):
        raw[0] = 5
    signed = array(2, value=S16)
    signed[0] = -2
    assert signed[0] == -2


def test_the_layout_of_the_declaration_is_the_default() -> None:
    found = Layout("point", 12, (Field("x", 0, S16), Field("y", 4, Scalar("u64", 8, signed=False))))
    points = array(12, value_layout=found)
    assert repr(points[0]) == "point(x=0, y=0)"
    here = points[0].__class__(-5, 6)
    points[2] = here
    assert points[2] == here
    assert (points[2].x, points[2].y) == (-5, 6)  # type: ignore[attr-defined]
    with pytest.raises(MapError, match=r"map presses: point.x: 40000 doesn't fit; s16 holds -32768 to 32767"):
        points[2] = points[0].__class__(40000, 6)
    with pytest.raises(MapError, match=r"map presses: 5 is no point"):
        points[2] = 5


def test_types_of_another_size_are_refused() -> None:
    with pytest.raises(MapError, match="map presses: u32 takes 4 bytes, but the map has 8"):
        array(8, value=u32)
    with pytest.raises(MapError, match=r"map presses: <class 'int'> is no type of a key or value"):
        array(8, value=int)
    with pytest.raises(MapError, match=r"map tags \(key\): u64 takes 8 bytes, but the map has 4"):
        hashed(key=U64)
    with pytest.raises(MapError, match="is an array; its keys are u32"):
        view_of(create_map(MapSpec("a", MapType.ARRAY, 4, 8, 1)), s32)


def test_a_hash_is_a_dict() -> None:
    tags = hashed()
    tags[17] = 1
    tags[17] += 1  # type: ignore[operator]
    tags.update({5: 50, 6: 60})
    assert sorted(tags.items()) == [(5, 50), (6, 60), (17, 2)]  # type: ignore[type-var]
    assert (len(tags), 5 in tags, 7 in tags, tags.get(7, "none")) == (3, True, False, "none")
    del tags[5]
    assert tags.pop(6) == 60
    assert dict(tags) == {17: 2}
    assert repr(tags) == "<hash tags: 1 of 3, u32 to u64>"
    tags.clear()
    assert not tags


def test_a_hash_of_numbers_counts() -> None:
    """As `collections.Counter` does, and programs: a key that isn't there is 0, and isn't made by looking."""
    tags = hashed()
    assert (tags[7], 7 in tags, tags.get(7), tags.get(7, 5), len(tags)) == (0, False, None, 5, 0)
    tags[7] += 1  # type: ignore[operator]
    assert (tags[7], tags.get(7), tags.setdefault(7, 9), tags.setdefault(8, 9), tags[8]) == (1, 1, 1, 9, 9)
    assert (tags.pop(7), tags.pop(7, None), dict(tags)) == (1, None, {8: 9})
    del tags[7]  # gone already
    with pytest.raises(MapKeyError, match="has no key 7; 1 of 3 entries are taken"):
        tags.pop(7)


def test_fields_can_be_arrays() -> None:
    windows = array(24, value=Window)
    windows[1] = Window(3, [1, -2, 3], [4, 5])
    assert windows[1] == Window(3, [1, -2, 3], [4, 5])
    assert Window.LAYOUT.c_struct() == "struct Window {\n\t__u64 seen;\n\t__s16 samples[3];\n\t__u32 sums[2];\n};"  # type: ignore[attr-defined]
    for wrong, message in (
        (Window(3, [1, -2], [4, 5]), r"map presses: Window.samples: \[1, -2\] doesn't fit; it takes 3 numbers"),
        (Window(3, [1, -2, 1 << 15], [4, 5]), "map presses: Window.samples: 32768 doesn't fit; s16 holds"),
        (Window(3, 5, [4, 5]), "map presses: Window.samples: 5 doesn't fit; it takes 3 numbers"),
    ):
        with pytest.raises(MapError, match=message):
            windows[0] = wrong


def test_an_array_type_says_what_it_takes() -> None:
    assert zeros(u32, 3) == [0, 0, 0]
    for kind, count, message in ((int, 3, "has no width"), (u8, 0, "has 0 elements; it takes at least 1")):
        with pytest.raises(SpecError, match=message):
            array_of(kind, count)


def test_what_a_hash_can_t_do_is_said() -> None:
    tags = hashed(entries=1)
    tags[1] = 1
    with pytest.raises(MapFull) as full:
        tags[2] = 2
    assert str(full.value) == (
        "map tags: has no room for key 2: all of its 1 entries (max_entries) are taken\n"
        "    fix    delete one, or declare more"
    )
    assert (tags.set(2, 2), tags.set(1, 3), tags.refused) == (False, True, 2)
    structs = hashed(value=Stats, entries=1, value_size=16)
    structs[1] = Stats(1, 2, 3)
    for miss in (lambda: structs[9], lambda: structs.pop(9)):
        with pytest.raises(KeyError) as caught:
            miss()
        assert (
            str(caught.value) == "map tags: has no key 9; 1 of 1 entries are taken\n    fix    ask with `in` or .get()"
        )
    with pytest.raises(MapError, match=r"map tags \(key\): -1 doesn't fit: u32 holds 0 to 4294967295"):
        tags[-1] = 1


def test_frozen_maps_are_read_only() -> None:
    for view in (array(data=b"\7", value=u64, frozen=True), hashed(frozen=True, data=b"\7")):
        assert view[0] == 7
        with pytest.raises(MapError, match="is frozen: nobody writes it after the start"):
            view[0] = 8
    with pytest.raises(MapError, match="is frozen"):
        del hashed(frozen=True, data=b"\7")[0]
