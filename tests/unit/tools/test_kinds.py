"""Tools and cleaners by name."""

import pytest

from simulator.errors import BadInputError
from simulator.tools.kinds import is_real_cleaner, model_of, parse_cleaner, parse_tool


@pytest.mark.parametrize("name", ["build", "uv==0.1.42", "pip==26.3", "pip==24.1b2"])
def test_tools_that_are_known(name):
    assert parse_tool(name).name == name


@pytest.mark.parametrize("name", ["cargo", "uv", "uv=0.1.42", "uv==", "pip>=20", "uv==../x", "", "build==1.0"])
def test_others_are_refused_with_what_to_write(name):
    with pytest.raises(
        BadInputError, match=r"write build, uv==VERSION or pip==VERSION, such as uv==0\.1\.42"
    ) as caught:
        parse_tool(name)
    assert (caught.value.kind, caught.value.value) == ("unknown-tool", name)


def test_cleaners():
    assert is_real_cleaner("uv==0.1.42")
    assert not is_real_cleaner("hardened")
    assert not is_real_cleaner("model:uv-0.1.42")
    assert parse_cleaner("pip==26.3").name == "pip==26.3"
    with pytest.raises(BadInputError, match="unknown cleaner 'build'"):
        parse_cleaner("build")
    assert model_of("uv==0.1.42") == "model:uv-0.1.42"
