import json

import pytest
from click.testing import CliRunner

from simulator.cli.main import program

MINE = """
version = 1
summary = "two installs, nothing injected"

[storm]
builds = 2
install = "jaeger-client"
protocol = "private"
toolchain = "setuptools-69.5.1"

[cleaners]
after = ["hardened"]
"""


@pytest.fixture
def cachestorm():
    """Run the program in this process; `.document` is the last line of its output, read as JSON."""

    def run(*arguments, **keywords):
        result = CliRunner().invoke(program, [str(argument) for argument in arguments], **keywords)
        if "--json" in arguments:
            # Whatever happened: every line of it is a document.
            result.documents = [json.loads(line) for line in result.stdout.splitlines()]
            result.document = result.documents[-1] if result.documents else None
        return result

    return run


@pytest.fixture
def mine(tmp_path):
    """A scenario file of two quick installs."""
    path = tmp_path / "mine.toml"
    path.write_text(MINE)
    return path


@pytest.fixture
def sandboxes(tmp_path):
    """Where sandboxes go; nothing may be left there."""
    parent = tmp_path / "sandboxes"
    parent.mkdir()
    yield parent
    assert list(parent.iterdir()) == []
