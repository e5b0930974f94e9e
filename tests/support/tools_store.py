"""Where tests keep environments, tools and archives: in pytest's cache, so that later test runs find them."""

from __future__ import annotations

import pytest

from simulator.tools.environments import STORE_VARIABLE


@pytest.fixture(scope="session")
def tools_store(pytestconfig):
    """The path of the store; every process that a test starts uses it too."""
    place = str(pytestconfig.cache.mkdir("tools"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(STORE_VARIABLE, place)
        yield place
