"""What real cleaners say of themselves, as they print it."""

import errno

import pytest

from simulator.actors.cleaners import Cleaned
from simulator.tools.real_cleaners import read_cleaned

# uv 0.1.42 on a poisoned cache.
REFUSED = """error: Failed to clear cache at: /sandbox/cache
  Caused by: IO error for operation on /sandbox/cache/built-wheels-v3/x/build/bdist.linux/wheel: Permission denied
  Caused by: Permission denied (os error 13)
"""


@pytest.mark.parametrize(
    ("printed", "cleaned"),
    [
        ("Clearing cache at: /sandbox/cache\nRemoved 2317 files (19.9MiB)\n", Cleaned(2317)),
        ("Removed 1,234 files\n", Cleaned(1234)),
        ("Files removed: 17 (1.2 MB)\nDirectories removed: 3\n", Cleaned(17)),
        ("No cache found at: /sandbox/cache\n", Cleaned()),
    ],
)
def test_success(printed, cleaned):
    assert read_cleaned(0, printed) == cleaned


def test_refusal():
    cleaned = read_cleaned(2, f"Clearing cache at: /sandbox/cache\n{REFUSED}")
    assert cleaned.errno == errno.EACCES
    assert cleaned.error == REFUSED.rstrip()


def test_a_cleaner_that_fails_without_a_word():
    assert read_cleaned(1, "").error == "exit code 1, and nothing printed"


def test_an_errno_of_python():
    assert read_cleaned(1, "ERROR: [Errno 39] Directory not empty: 'x'").errno == errno.ENOTEMPTY
