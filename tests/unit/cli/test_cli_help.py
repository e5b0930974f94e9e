import pytest

COMMANDS = ["demo", "run", "replay", "clean", "audit", "solo", "list", "doctor"]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_an_example_and_json(cachestorm, name):
    result = cachestorm(name, "--help")
    assert result.exit_code == 0
    assert "Example" in result.stdout
    assert f"cachestorm {name}" in result.stdout.partition("Example")[2]
    assert ("--json" in result.stdout) == (name != "solo")


def test_the_program_without_arguments_says_what_it_does(cachestorm):
    result = cachestorm()
    assert result.exit_code == 0
    assert all(f"  {name} " in result.stdout for name in COMMANDS)


def test_version(cachestorm):
    assert cachestorm("--version").stdout.startswith("cachestorm, version 0.")
