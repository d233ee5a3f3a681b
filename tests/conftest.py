"""What every test runs under: annotated shapes checked at run time, a seed, one thread per worker, no silent skip."""

import os
from collections.abc import Iterator

import jaxtyping
import pytest

# Before anything imports the package: from here on each annotated shape in it is checked at each call.
jaxtyping.install_import_hook("blockbyblock", "beartype.beartype")

import hypothesis
import torch

# Examples differ from run to run at a desk, where a new one is welcome, and never in CI. No test has a time limit.
hypothesis.settings.register_profile("desk", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "desk")

if "PYTEST_XDIST_WORKER" in os.environ:
    torch.set_num_threads(1)  # the workers share the cores already


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="a skipped test fails the run")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run that skipped something, where asked to: parity that is not tested must not look like parity."""
    reporter = session.config.pluginmanager.getplugin("terminalreporter")
    if session.config.getoption("--no-skips") and reporter and reporter.stats.get("skipped"):
        reporter.write_line("--no-skips: a skipped test fails the run", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(autouse=True)
def shapes_checked(request: pytest.FixtureRequest) -> Iterator[None]:
    """Check annotated shapes, except in a test marked `unhooked`."""
    jaxtyping.config.update("jaxtyping_disable", request.node.get_closest_marker("unhooked") is not None)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """One thread: on matrices as small as a test's, and a busy machine, two only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def seed() -> None:
    """Start each test from the same random state, whatever ran before it."""
    torch.manual_seed(0)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how far each part is from its peers: here, since a parallel run ends in this conftest alone."""
    largest: dict[tuple[str, str], float] = {}
    for test in terminalreporter.stats.get("passed", []) + terminalreporter.stats.get("failed", []):
        for kind, found in getattr(test, "user_properties", []):
            if kind == "parity":
                peer, dtype, difference = found
                largest[peer, dtype] = max(difference, largest.get((peer, dtype), 0.0))
    if largest:
        terminalreporter.section("largest difference to the peer (float64: absolute; float32: relative to the largest)")
        for (peer, dtype), difference in sorted(largest.items()):
            terminalreporter.write_line(f"{peer:42} {dtype:8} {difference:.1e}")
