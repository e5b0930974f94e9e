"""Everybody's ground rules: modes bite, sandboxes are in memory, nothing is left behind.

Root ignores permission bits, so as root every permission test would pass for nothing. Before the first thread starts,
this process gives up the capabilities that let root do so, and proves it. The tests marked `root` need a process that
still has them: they run in a second pass, `CACHESTORM_TEST_AS_ROOT=1 pytest -m root`.
"""

from __future__ import annotations

import os
import signal
import tempfile

import pytest

from cache_core import privileges
from cache_core.removal import remove_tree

AS_ROOT = os.environ.get("CACHESTORM_TEST_AS_ROOT") == "1"
GROUND = "/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir()


def pytest_configure(config):
    os.umask(0o022)
    # Whoever starts us in the background may have these ignored, and what is ignored here is ignored in every process
    # that a test starts and interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if not AS_ROOT and privileges.holds_override_capabilities():
        privileges.drop_override_capabilities()
        privileges.empty_bounding_set()
    if not AS_ROOT and not privileges.permission_bits_stop_us(GROUND):
        raise pytest.UsageError("permission bits do not stop this process: the permission tests would prove nothing")
    if config.option.basetemp is None:
        config.option.basetemp = tempfile.mkdtemp(prefix="cachestorm-tests-", dir=GROUND)
        config.stash[_OURS] = config.option.basetemp


_OURS = pytest.StashKey[str]()


def pytest_unconfigure(config):
    ground = config.stash.get(_OURS, None)
    if ground is not None:
        # Poisoned directories and all: with the remover that is under test elsewhere.
        remove_tree(ground)


def pytest_collection_modifyitems(config, items):
    kept = [item for item in items if (item.get_closest_marker("root") is not None) == AS_ROOT]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


@pytest.fixture
def ground():
    """A directory for sandboxes."""
    return GROUND
