"""The documentation is true: what it shows is run, what it says is printed, where it points there is something.

README.md and every page below docs/ are read as a newcomer would work through them. A page is one session in one
directory, in order:

- ```console   lines that start with "$ " are run by bash; "# exit N" at the end of one is the exit code (else 0). The
               lines below are its output: all of it, or shortened, where "…" stands for any text within a line, and for
               any number of lines on a line of its own. A command with nothing below it may print what it likes.
- ```toml      a scenario file: it must load.
- ```python    is executed; `await` is allowed at its top.

A word after the language is a file name: the block is written to it (and a program is left for a command to start).
Blocks of other languages are not looked at.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from cache_core.layout import TAG_TEXT
from cache_core.removal import remove_tree
from simulator.cli.main import program
from simulator.scenario_file import load_scenario

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHORTENED = "…"
EXIT = re.compile(r"\s+# exit (?P<code>[0-9]+)$")
FENCE = re.compile(r"^```(?P<language>\w*)[ ]*(?P<name>\S*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE_CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\((?P<page>[^)#\s]*)(?:#(?P<anchor>[^)\s]*))?\)")
COMMAND_SECONDS_MAX = 60

# Not run: they install or start programs that are no part of this one, or this very test. Where output is shown, a
# make target's command is run in its stead.
OTHER_PROGRAMS = ("make", "git", "pip", "pipx", "uv", "docker", "podman", "python3 -m venv")
INSTEAD = {"make demo": "cachestorm demo"}
# A directory that examples of the library clean; here it is a tagged cache in the page's own directory.
EXAMPLE_CACHE = "/var/cache/wheels"

PYTHON = """
import ast, inspect, sys
code = compile(sys.stdin.read(), "example", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
if code.co_flags & inspect.CO_COROUTINE:
    import asyncio
    asyncio.run(eval(code, {"__name__": "__main__"}))
else:
    exec(code, {"__name__": "__main__"})
"""


@dataclass
class Block:
    """A fenced block."""

    page: Path
    line: int
    language: str
    name: str
    text: str

    def __str__(self):
        return f"{name(self.page)}:{self.line}"


@dataclass
class Example:
    """A command in a console block: what to run, its exit code, the output that is shown."""

    line: int
    command: str
    exit_code: int
    output: str


def name(page):
    return str(page.relative_to(ROOT))


def blocks(page):
    text = page.read_text()
    for match in FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        yield Block(page, line, match["language"], match["name"], match["text"])


def prose(page):
    """A page without its fenced blocks."""
    return FENCE.sub("", page.read_text())


def examples(block):
    found = []
    for number, line in enumerate(block.text.splitlines(), block.line + 1):
        if line.startswith("$ "):
            command = line.removeprefix("$ ")
            code = EXIT.search(command)
            found.append(Example(number, EXIT.sub("", command), int(code["code"]) if code else 0, ""))
        else:
            assert found, f"{block}: output before the first command"
            found[-1].output += f"{line}\n"
    return found


def pattern(output):
    """A regular expression of output as it is shown, "…" and all."""
    told = []
    for line in output.rstrip("\n").splitlines():
        if line.strip() == SHORTENED:
            told.append(r"(?:[^\n]*\n)*?")
        else:
            told.append(r"[^\n]*".join(map(re.escape, line.rstrip().split(SHORTENED))) + r"[ ]*\n")
    return re.compile("".join(told))


def environment(home):
    kept = {key: value for key, value in os.environ.items() if key in {"LANG", "LC_ALL"}}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**kept, "PATH": path, "HOME": str(home), "PYTHONWARNINGS": "default"}


def is_run(command):
    return not any(command == other or command.startswith(f"{other} ") for other in OTHER_PROGRAMS)


def run_example(block, example, session):
    where = f"{name(block.page)}:{example.line}: $ {example.command}"
    command = example.command
    if example.output:
        command = INSTEAD.get(command, command)
    if not is_run(command):
        return
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=session,
        env=environment(session),
        capture_output=True,
        text=True,
        check=False,
        timeout=COMMAND_SECONDS_MAX,
    )
    told = f"{where}\nexit code {done.returncode}, stdout:\n{done.stdout}\nstderr:\n{done.stderr}"
    assert done.returncode == example.exit_code, f"it shows exit code {example.exit_code}: {told}"
    if example.output.strip():
        wanted = pattern(example.output)
        streams = (done.stdout, done.stderr)
        assert any(wanted.fullmatch(text.rstrip("\n") + "\n") for text in streams), f"it shows other output: {told}"


def run_python(block, session):
    code = block.text.replace(EXAMPLE_CACHE, str(session / "wheels"))
    done = subprocess.run(
        [sys.executable, "-c", PYTHON],
        input=code,
        cwd=session,
        env={**environment(session), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=COMMAND_SECONDS_MAX,
    )
    assert done.returncode == 0, f"{block}:\n{done.stdout}{done.stderr}"


@pytest.fixture
def session(tmp_path):
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (wheels / "CACHEDIR.TAG").write_bytes(TAG_TEXT)
    yield tmp_path
    # Examples leave poisoned directories, which is what they are about.
    remove_tree(str(tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if any(blocks(page))], ids=name)
def test_what_a_page_shows_is_so(page, session):
    for block in blocks(page):
        if block.name:
            (session / block.name).write_text(block.text)
        if block.language == "console":
            for example in examples(block):
                run_example(block, example, session)
        elif block.language == "toml":
            path = session / (block.name or "example.toml")
            path.write_text(block.text)
            load_scenario(str(path))
        elif block.language == "python" and not block.name:
            run_python(block, session)


def anchors(page):
    """The anchors that a reader's browser knows, made as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page):
    for link in LINK.finditer(prose(page)):
        if "://" in link["page"]:
            continue
        target = (page.parent / link["page"]).resolve() if link["page"] else page
        assert target.exists(), f"{name(page)}: {link[0]} leads nowhere"
        assert target.is_relative_to(ROOT), f"{name(page)}: {link[0]} leads out of the project"
        if link["anchor"]:
            assert link["anchor"] in anchors(target), f"{name(page)}: {link[0]}: no such heading in {name(target)}"


def test_every_page_can_be_found():
    """From the README, by links alone."""
    seen, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md" or not page.is_file():
            continue
        seen.add(page)
        waiting += [(page.parent / link["page"]).resolve() for link in LINK.finditer(prose(page)) if link["page"]]
    lost = sorted(name(page) for page in set(PAGES) - seen)
    assert not lost, f"no link leads to {lost}: add them to docs/index.md"


def test_the_commands_and_targets_that_are_named_exist():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        shown = [
            example.command for block in blocks(page) if block.language == "console" for example in examples(block)
        ]
        for code in [*shown, *INLINE_CODE.findall(prose(page))]:
            words = code.split()
            if words[:1] == ["make"] and len(words) > 1:
                assert words[1] in targets, f"{name(page)}: `{code}`: no such target"
            if words[:1] == ["cachestorm"] and len(words) > 1 and words[1].isalpha():
                assert words[1] in program.list_commands(None), f"{name(page)}: `{code}`: no such command"


def test_the_readme_begins_with_the_two_commands():
    consoles = [block for block in blocks(ROOT / "README.md") if block.language == "console"]
    shown = [example.command for block in consoles for example in examples(block)]
    assert shown[:2] == ["make demo", "make test"]


@pytest.mark.parametrize(
    ("shown", "output", "same"),
    [
        ("a\n…\nd\n", "a\nb\nc\nd\n", True),
        ("a\n…\nd\n", "a\nd\n", True),
        ("a\nd\n", "a\nb\nd\n", False),
        ("took … s\n", "took 0.4 s\n", True),
        ("took … s\n", "took 0.4 s\nand more\n", False),
        ("1 ok\n…\n", "1 ok\n2 failed\n", True),
        ("1 ok\n…\n", "2 ok\n2 failed\n", False),
    ],
)
def test_shortened_output_is_still_compared(shown, output, same):
    assert bool(pattern(shown).fullmatch(output)) is same
