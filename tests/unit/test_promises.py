"""The page of promises names tests that exist, for each of the seven."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/promises.md").read_text()
NAMED = re.findall(r"^- `(tests/[\w/]+\.py)::(\w+)`$", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_a_test_that_a_promise_names_is_there(file, test):
    assert re.search(rf"^(async )?def {test}\(", (ROOT / file).read_text(), re.MULTILINE)


def test_each_promise_names_tests():
    sections = PAGE.split("\n## ")[1:]
    assert [section[0] for section in sections[:7]] == list("1234567")
    assert all("- `tests/" in section for section in sections)
    assert len(NAMED) == PAGE.count("- `tests/")
