"""The deliberate faults can be planted: `make faults` takes an hour, and a fault whose text has moved tests nothing."""

import ast

import faults
import pytest
from planted import Fault

ROOMS = {room.__name__.rpartition(".")[2]: room.FAULTS for room in faults.ROOMS}
TESTS = faults.ROOT / "tests"


def complaints(fault: Fault) -> list[str]:
    """What keeps a fault from being planted, or makes its test fail for another reason than the fault."""
    source = (faults.PACKAGE / fault.file).read_text(encoding="utf-8")
    found = []
    if source.count(fault.old) != 1:
        found.append(f"its text stands {source.count(fault.old)} times in {fault.file}")
    if fault.file.endswith(".py"):
        try:
            ast.parse(source.replace(fault.old, fault.new))
        except SyntaxError as error:
            found.append(f"it is no Python: {error}")
    file, _, test = fault.test.partition("::")
    if f"def {test.partition('[')[0]}(" not in (TESTS / file).read_text(encoding="utf-8"):
        found.append(f"there is no test {fault.test}")
    return [f"{fault.name}: {each}" for each in found]


@pytest.mark.parametrize("faults", ROOMS.values(), ids=ROOMS)
def test_every_fault_can_be_planted(faults):
    assert [each for fault in faults for each in complaints(fault)] == []
    names = [fault.name for fault in faults]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    "change, complaint",
    [
        ({"old": "no such text"}, "stands 0 times"),
        ({"old": "return"}, "times in attention.py"),
        ({"new": "("}, "it is no Python"),
        ({"test": "test_attention.py::test_gone"}, "there is no test test_attention.py::test_gone"),
    ],
)
def test_a_fault_that_cannot_be_planted_is_named(change, complaint):
    core = next(fault for fault in ROOMS["core"] if fault.file == "attention.py")
    assert complaints(core) == []
    found = complaints(Fault(**vars(core) | change))[0]
    assert found.startswith(core.name)
    assert complaint in found
