"""The values' base against the original: what a dataclass does, ours does, and at run time none is loaded."""

import copy
import dataclasses
import inspect
import pickle
import subprocess
import sys

import pytest

from cache_core import values


def made_by(dataclass):
    @dataclass(frozen=True, slots=True)
    class Point:
        """A point."""

        x: int
        y: int = 2
        name: str = ""

        def __post_init__(self):
            if self.x < 0:
                raise ValueError("negative")

        @property
        def sum(self):
            """Of both."""
            return self.x + self.y

    return Point


Ours = made_by(values.dataclass)
Standard = made_by(dataclasses.dataclass)


@values.dataclass(frozen=True, slots=True)
class Pair:
    """To be pickled, so in a module."""

    first: object
    second: object = None


CALLS = [
    lambda make: make(1),
    lambda make: make(1, 3, "a"),
    lambda make: make(x=1),
    lambda make: make(1, name="a"),
    lambda make: make(name="a", x=4),
    lambda make: make(),
    lambda make: make(y=1),
    lambda make: make(1, 2, "a", 4),
    lambda make: make(1, x=1),
    lambda make: make(1, z=1),
    lambda make: make(1, 2, "a", name="b"),
    lambda make: make(-1),
    lambda make: (make(1) == make(1), make(1) == make(2), make(1) == (1, 2, ""), make(1) != make(1)),
    lambda make: len({make(1), make(1), make(2)}),
    lambda make: make([]) if hash(make(1)) else None,
    lambda make: hash(make(())) and hash(make([])),
    lambda make: setattr(make(1), "x", 2),
    lambda make: delattr(make(1), "x"),
    lambda make: make(1).__dict__,
    lambda make: (make(1).sum, make.__doc__, make.__name__, make.__qualname__, make.__module__, make.__match_args__),
    lambda make: dataclasses.replace(make(1), y=5),
    lambda make: dataclasses.replace(make(1), x=-5),
    lambda make: dataclasses.replace(make(1), z=5),
    lambda make: dataclasses.asdict(make(1)),
    lambda make: dataclasses.astuple(make(1)),
    lambda make: [(field.name, field.type, field.default) for field in dataclasses.fields(make)],
    lambda make: (dataclasses.is_dataclass(make), dataclasses.is_dataclass(make(1))),
    lambda make: inspect.signature(make).parameters.keys(),
    lambda make: (copy.copy(make(1)), copy.deepcopy(make(1, name="b"))),
]


def outcome(call, make):
    try:
        return repr(call(make))
    except Exception as error:  # noqa: BLE001 - whatever it is
        return type(error)


@pytest.mark.parametrize("number", range(len(CALLS)))
def test_whatever_is_done_with_it_the_original_does_the_same(number):
    assert outcome(CALLS[number], Ours) == outcome(CALLS[number], Standard)


def test_replace_as_the_original():
    assert values.replace(Ours(1), y=5) == Ours(1, 5)
    with pytest.raises(ValueError, match="negative"):
        values.replace(Ours(1), x=-1)
    with pytest.raises(TypeError, match="unknown, or given twice: z"):
        values.replace(Ours(1), z=1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (Ours, "Point: no value for x"),
        (lambda: Ours(1, x=2), "Point: unknown, or given twice: x"),
        (lambda: Ours(1, 2, "", 4), "Point: 4 values for 3 fields"),
    ],
)
def test_a_mistake_is_named(call, message):
    with pytest.raises(TypeError) as caught:
        call()
    assert str(caught.value) == message


def test_it_can_be_matched():
    match Ours(1, 7):
        case Ours(1, y):
            assert y == 7
        case _:
            pytest.fail("no match")


def test_it_can_be_pickled():
    pair = Pair(1, ("a", Pair(2)))
    assert pickle.loads(pickle.dumps(pair)) == pair


def test_nothing_is_loaded_for_it_until_somebody_looks_for_a_dataclass():
    code = """
import sys
before = set(sys.modules)
from cache_core.values import dataclass, replace
@dataclass(frozen=True, slots=True)
class Left:
    path: str
    reason: str = ""
assert replace(Left("a"), reason="b") == Left("a", "b")
print(*(set(sys.modules) - before - {"cache_core", "cache_core.values", "__future__"}))
"""
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
