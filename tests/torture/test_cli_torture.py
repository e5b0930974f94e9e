"""`cachestorm torture` as a command: the matrix, the documents, exit codes, what is kept and what is not."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from xml.etree import ElementTree as ET

import pytest

from cache_core.removal import remove_tree
from scenarios.states import STATES
from simulator.torture.verdicts import VERDICTS
from tests.support.command import ENTRY, ROOT, cachestorm
from tests.support.tools_store import tools_store

__all__ = ["tools_store"]

pytestmark = pytest.mark.slow

SECONDS_MAX = 60


@pytest.fixture
def place(tmp_path):
    """Where sandboxes go; each test leaves it as it was."""
    made = tmp_path / "place"
    made.mkdir()
    yield made
    assert os.listdir(made) == []


def torture(place, *arguments, **options):
    return cachestorm("torture", "--sandbox", str(place), *arguments, **options)


def document(place, *arguments, code, **options):
    done = torture(place, *arguments, "--json", **options)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def test_a_good_cleaner(place):
    done = torture(place, "--cleaner", "hardened", "--state", "mode-0200", "--state", "tag-missing")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["hardened"]
    assert [line.split() for line in lines[1:5]] == [
        ["modes"], ["mode-0200", "+clean"], ["root"], ["tag-missing", "=reported"],
    ]  # fmt: skip
    assert lines[-1] == "2 cells: 1 clean, 1 reported"
    assert done.stderr == "mode-0200: hardened clean\ntag-missing: hardened reported\n"


def test_a_bad_one(place):
    done = torture(place, "--cleaner", "true {cache}", "--cleaner", "rm", "--state", "mode-0200")
    assert done.returncode == 1
    assert re.search(r"^A  true \{cache\}$", done.stdout, re.MULTILINE)
    assert re.search(r"^  mode-0200 +\?lied +-failed$", done.stdout, re.MULTILINE)
    assert "mode-0200, true {cache}: lied: exit code 0, and 12 entries are left" in done.stdout
    assert done.stdout.endswith("2 cells: 1 failed, 1 lied\n")


def test_the_document(place):
    careless = "chmod -R 777 {cache}"
    told = document(place, "--cleaner", careless, "--cleaner", "hardened", "--state", "hard-links", code=1)
    assert told["schema"] == "cachestorm/torture/1"
    bad, good = told["cells"]
    assert set(bad) == {"state", "cleaner", "verdict", "error", "seconds", "harm"}
    assert (bad["state"], bad["cleaner"], bad["verdict"]) == ("hard-links", careless, "harmed")
    assert bad["error"] == "outside/plain: mode was 0644, is 0777 (and 2 more)"
    assert bad["harm"][1] == "outside/read-only: mode was 0444, is 0777"
    assert (good["verdict"], good["error"], good["harm"]) == ("clean", None, [])
    assert told["counts"] == {careless: {"harmed": 1}, "hardened": {"clean": 1}}
    assert (told["shrunk"], told["kept"]) == ([], [])


def test_no_line_is_wider_than_a_hundred_columns(place):
    names = [f"sh -c 'exit {number}' sh-{'x' * 200} {{cache}}" for number in range(9)]
    arguments = [word for name in [*names, "hardened"] for word in ("--cleaner", name)]
    done = torture(place, *arguments, "--state", "link-where-a-directory-was", "--state", "deep-and-shut")
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert done.stdout.count("  deep-and-shut ") == 2


def test_a_group_is_all_of_its_states(place):
    told = document(place, "--cleaner", "true {cache}", "--state", "links-out", code=1)
    assert [cell["state"] for cell in told["cells"]] == [
        state.name for state in STATES.values() if state.group == "links-out"
    ]


def test_junit(place, tmp_path):
    path = tmp_path / "torture.xml"
    cleaner = "sh -c 'printf \"error: \\001 \\033[31m \\377 ]]>&\"; exit 1' {cache}"
    arguments = ("--cleaner", cleaner, "--cleaner", "hardened", "--state", "mode-0200", "--state", "devices")
    assert torture(place, *arguments, "--junit", str(path)).returncode == 1
    top = ET.parse(path).getroot()
    assert (top.tag, top.get("tests"), top.get("failures")) == ("testsuites", "4", top.get("failures"))
    suites = top.findall("testsuite")
    assert [suite.get("name") for suite in suites] == [f"torture {cleaner}", "torture hardened"]
    case = suites[0].find("testcase")
    assert (case.get("classname"), case.get("name")) == (f"torture.{cleaner}.modes", "mode-0200")
    assert case.find("failure").get("type") == "failed"
    assert r"error: \x01 \x1b[31m" in case.find("failure").get("message")
    assert suites[1].find("testcase").find("failure") is None
    assert int(top.get("failures")) == len(top.findall(".//failure"))
    assert int(top.get("skipped")) == len(top.findall(".//skipped"))


def test_a_group_is_kept_for_a_look(place):
    told = document(place, "--keep", "quantity", code=0)
    assert [kept["state"] for kept in told["kept"]] == [
        state.name for state in STATES.values() if state.group == "quantity"
    ]
    for kept in told["kept"]:
        assert os.path.isdir(f"{kept['path']}/cache")
        remove_tree(os.path.dirname(kept["path"]))


def test_what_cannot_be_laid_is_not_kept(place):
    done = torture(place, "--keep", "devices", "--keep", "fifos")
    assert done.returncode == 0
    if "not kept: devices: it takes device nodes: root; this machine says: " in done.stdout:
        assert [name for name in os.listdir(place) if "devices" in name] == []
    for name in os.listdir(place):
        remove_tree(f"{place}/{name}")


def test_a_state_is_kept_for_a_look(place):
    done = torture(place, "--keep", "poisoned-staging")
    assert done.returncode == 0, done.stderr
    kept = re.search(r"^kept: (?P<path>\S+): poisoned-staging$", done.stdout, re.MULTILINE)["path"]
    assert kept.startswith(f"{place}/cachestorm-kept-poisoned-staging/")
    (poisoned,) = [
        f"{base}/{name}"
        for base, names, _ in os.walk(f"{kept}/cache")
        for name in names
        if os.stat(f"{base}/{name}").st_mode & 0o777 == 0o200
    ]
    assert poisoned.endswith("build/bdist.linux-x86_64/wheel/jaeger_client")
    # Another run does not sweep it.
    assert torture(place, "--cleaner", "rm", "--state", "fifos").returncode == 0
    assert os.path.isdir(kept)
    line = re.search(r"^  remove it with: cachestorm (?P<words>.+)$", done.stdout, re.MULTILINE)["words"]
    assert cachestorm(*line.split()).returncode == 0


def test_what_a_cleaner_left_is_kept(place):
    told = document(place, "--keep", "mode-0200", "--cleaner", "rm", "--cleaner", "hardened", code=1)
    rm, hardened = told["kept"]
    assert (rm["cleaner"], rm["state"]) == ("rm", "mode-0200")
    assert os.listdir(f"{rm['path']}/cache/http-v2") == ["entry"]
    assert "http-v2" not in os.listdir(f"{hardened['path']}/cache")
    for kept in told["kept"]:
        remove_tree(os.path.dirname(kept["path"]))


def test_random_states(place):
    arguments = ("--random", "12", "--seed", "5", "--cleaner", "rmtree", "--cleaner", "hardened")
    told = document(place, *arguments, code=1)
    assert len(told["cells"]) == 24
    assert told["counts"]["hardened"] == {"clean": 12}
    shrunk = told["shrunk"][-1]
    first = next(cell for cell in told["cells"] if cell["verdict"] == shrunk["verdict"])
    assert (shrunk["cleaner"], shrunk["state"], shrunk["verdict"]) == ("rmtree", first["state"], first["verdict"])
    again = document(place, *arguments, code=1)
    assert [cell["verdict"] for cell in again["cells"]] == [cell["verdict"] for cell in told["cells"]]
    # What it prints makes a tree on which it fails.
    ground = place / "by-hand"
    ground.mkdir()
    subprocess.run(["bash", "-ec", "\n".join(shrunk["commands"])], cwd=ground, check=True)
    program = "import shutil, sys; shutil.rmtree(sys.argv[1])"
    assert subprocess.call([sys.executable, "-c", program, ground / "cache"], stderr=subprocess.DEVNULL) == 1
    remove_tree(str(ground))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--cleaner", "nowhere {cache}"], "cleaner 'nowhere {cache}': the program 'nowhere' does not exist"),
        (["--cleaner", "rm -rf"], "cleaner 'rm -rf' has no {cache}: say where the path of the cache goes"),
        (["--cleaner", "rm '{cache}"], "cleaner 'rm '{cache}': no closing quotation"),
        (["--cleaner", ""], "cleaner '' is empty; write a command with {cache}"),
        (["--cleaner", "hardend"], "unknown cleaner 'hardend'; nearest: hardened"),
        (["--state", "mode-020"], "unknown state 'mode-020'; nearest: mode-0200"),
        (["--state", "xyzzy"], "unknown state 'xyzzy'; known: control, modes, depth, names"),
        (["--keep", "mode-020"], "unknown state 'mode-020'; nearest: mode-0200"),
        (["--keep", "no-space"], "--keep 'no-space': its mounts go with the run"),
        (["--cleaner", "a\nb {cache}"], r"cleaner 'a\nb {cache}': the program 'a' does not exist"),
        (["--seed", "3"], "--seed 3 goes with --random N"),
        (["--random", "0"], "Invalid value for '--random': 0 is not in the range 1<=x<=10000"),
        (["--random", "3", "--state", "modes"], "--random 3 and --state or --keep exclude each other"),
        (["--keep", "fifos", "--state", "modes"], "--state and --keep exclude each other"),
        (["--timeout", "soon"], "'soon' is no duration"),
        (["--timeout", "0"], "--timeout 0: a cleaner needs some time"),
        (["--junit", "/nowhere/file.xml"], "--junit '/nowhere/file.xml' cannot be written: No such file or directory"),
    ],
)
def test_bad_input_is_one_line(place, arguments, told):
    done = torture(place, *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("cachestorm: ")
    assert told in line


def test_a_sandbox_that_is_none(place):
    done = cachestorm("torture", "--sandbox", f"{place}/nowhere", "--cleaner", "rm")
    assert (done.returncode, done.stderr) == (
        2, f"cachestorm: --sandbox '{place}/nowhere' is no directory; give one that exists\n",
    )  # fmt: skip


def test_an_old_file_stays_until_there_is_a_new_one(tmp_path):
    path = tmp_path / "torture.xml"
    path.write_text("old")
    done = torture(tmp_path / "nowhere", "--cleaner", "rm", "--state", "fifos", "--junit", str(path))
    assert (done.returncode, path.read_text()) == (2, "old")
    done = torture(tmp_path, "--cleaner", "rm", "--state", "fifos", "--junit", str(path))
    assert (done.returncode, ET.parse(path).getroot().get("tests")) == (0, "1")


def test_it_leaves_no_notes_where_we_are(place, tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    torture(place, "--random", "3", "--cleaner", "rmtree", cwd=work)
    assert os.listdir(work) == []


def test_a_random_state_is_the_same_by_its_name(place):
    told = document(place, "--random", "12", "--seed", "5", "--cleaner", "rmtree", code=1)
    bad = next(cell for cell in told["cells"] if cell["verdict"] != "clean")
    again = document(place, "--state", bad["state"], "--cleaner", "rmtree", code=1)
    assert [(cell["state"], cell["verdict"]) for cell in again["cells"]] == [(bad["state"], bad["verdict"])]
    wrong = torture(place, "--state", "random-5")
    assert (wrong.returncode, wrong.stderr) == (
        2, "cachestorm: unknown state 'random-5'; random states are called random-SEED-N, N below 10,000\n",
    )  # fmt: skip


def test_what_is_for_a_shell_is_refused(place):
    for command, told in (
        ("rm -rf {cache} && true", "'&&' is for a shell, and none runs it; write sh -c '...' sh {cache}"),
        ("X={cache} tool", "the program 'X={cache}' does not exist; to set a variable write: env X={cache} PROGRAM"),
        ("cd {cache}", "the program 'cd' does not exist; no shell runs it: write sh -c '...' sh {cache}"),
    ):
        done = torture(place, "--cleaner", command)
        assert (done.returncode, done.stderr) == (2, f"cachestorm: cleaner '{command}': {told}\n")


def test_a_file_that_is_here_and_not_there(place, tmp_path):
    (tmp_path / "clean.py").write_text("")
    done = torture(place, "--cleaner", f"{sys.executable} clean.py {{cache}}", "--state", "ordinary", cwd=tmp_path)
    assert "is started elsewhere: write 'clean.py' as an absolute path" in done.stderr
    assert done.returncode == 1
    assert "whoever fails on the state 'ordinary' may have been started wrongly: look at the command" in done.stdout


def test_what_it_said_last_is_told(place):
    told = document(place, "--cleaner", "sh -c 'echo really remove? aborted' {cache}", "--state", "ordinary", code=1)
    assert told["cells"][0]["error"].endswith("; it said: really remove? aborted")


def test_real_tools_and_models_are_cleaners(place, tools_store):
    names = ("uv==0.13.9", "pip==26.3", "model:uv-0.13.9")
    arguments = [word for name in names for word in ("--cleaner", name)]
    told = document(place, *arguments, "--state", "mode-0000", "--state", "files-without-modes", code=1)
    verdicts = {(cell["state"], cell["cleaner"]): cell["verdict"] for cell in told["cells"]}
    assert [verdicts["mode-0000", name] for name in names] == ["failed"] * 3
    assert [verdicts["files-without-modes", name] for name in names] == ["clean"] * 3


def test_uv_changes_files_outside_through_links(place, tools_store):
    """What hard cases were measured to be, and why `harmed` is a verdict (astral-sh/uv, defect of 0.13.9)."""
    states = ("link-in-read-only", "hard-link-in-read-only", "hard-links-in-shut", "links-in-shut-directories")
    arguments = [word for name in states for word in ("--state", name)]
    told = document(place, "--cleaner", "uv==0.13.9", *arguments, code=1)
    assert {cell["state"]: cell["verdict"] for cell in told["cells"]} == dict.fromkeys(states, "harmed")
    assert all("outside/read-only: mode was 0444, is 0666" in cell["harm"] for cell in told["cells"])


def test_progress_on_a_terminal_goes_away(place):
    reading, writing = os.openpty()
    command = [
        sys.executable,
        "-c",
        ENTRY,
        "torture",
        "--sandbox",
        place,
        "--cleaner",
        "true {cache}",
        "--state",
        "quantity",
    ]
    with subprocess.Popen(
        command, stderr=writing, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": ROOT}
    ) as process:
        os.close(writing)
        told = b""
        try:
            while piece := os.read(reading, 65_536):
                told += piece
        except OSError:
            # EIO: nobody has the terminal open any more.
            pass
        os.close(reading)
        assert process.stdout.read().endswith("6 cells: 6 lied\n")
    shown = told.decode().split("\r\x1b[K")
    assert shown[0] == shown[-1] == ""
    assert shown[1] == "1 of 6: files-20000, true {cache}"
    assert shown[6] == "6 of 6: buckets-1000, true {cache}; 5 bad so far"


def test_very_many_cleaners_have_letters_of_their_own(place):
    names = [f"sh -c 'exit {number}' a-long-name {{cache}}" for number in range(30)]
    done = torture(place, *(word for name in names for word in ("--cleaner", name)), "--state", "fifos")
    letters = re.findall(r"^([A-Z]+)  sh -c", done.stdout, re.MULTILINE)
    assert (len(letters), len(set(letters))) == (30, 30)


MOVED = "sh -c 'd=$(cd $1/{up} && pwd -P); mv $d {away}; ln -s {precious} $d' sh {{cache}}"
REMOVED = "sh -c 'd=$(cd $1/{up} && pwd -P); chmod -R u+rwx $d; rm -rf $d' sh {{cache}}"


@pytest.mark.parametrize("up", ["..", "../..", "../../.."], ids=["stage", "round", "sandbox"])
@pytest.mark.parametrize("attack", [MOVED, REMOVED], ids=["moved", "removed"])
def test_what_is_above_the_cache_is_taken_away(place, tmp_path, attack, up):
    """It is harm, the next cell goes on in a new place, and what stands there instead is not touched."""
    precious = tmp_path / "precious"
    (precious / "1" / "stage").mkdir(parents=True)
    (precious / "1" / "file").touch()
    away = tmp_path / "away"
    bad = attack.format(up=up, away=away, precious=precious)
    states = ("--state", "mode-0200", "--state", "hard-links")
    told = document(place, "--cleaner", bad, "--cleaner", "hardened", *states, code=1)
    assert [cell["verdict"] for cell in told["cells"]] == ["harmed", "clean"] * 2
    assert (precious / "1" / "file").exists()
    if up != "..":
        # Wherever it was moved to, it is gone.
        assert not away.exists()
    remove_tree(str(away))
    for name in os.listdir(place):
        (place / name).unlink()


def interrupted(place, state, number, told):
    """A run that gets a signal while its cleaner and what that started are at work; nothing of it is left."""
    cleaner = f"sh -c 'setsid sleep 60 & sleep 60 & echo $! $$ >> {told}; wait' {{cache}}"
    process = subprocess.Popen(
        [sys.executable, "-c", ENTRY, "torture", "--sandbox", place, "--cleaner", cleaner, "--state", state, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": ROOT},
    )
    deadline = time.monotonic() + SECONDS_MAX
    while not told.exists() or not told.read_text().endswith("\n"):
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline, "it never began"
    process.send_signal(number)
    out, errors = process.communicate(timeout=SECONDS_MAX)
    assert process.returncode == 128 + number, errors
    error = json.loads(out.splitlines()[-1])
    assert (error["kind"], error["report"]["cells"]) == ("interrupted", [])
    assert errors.splitlines()[-1].startswith("cachestorm: interrupted by ")
    assert not any(os.path.exists(f"/proc/{pid}") for pid in told.read_text().split())


@pytest.mark.parametrize("state", ["mode-0200", "writer", "two-cleaners", "started-inside"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_all_of_it_goes(place, state, number, tmp_path):
    interrupted(place, state, number, tmp_path / "pids")


@pytest.mark.root
@pytest.mark.parametrize("state", ["bind-mount-inside", "immutable-file", "full-directory-of-another", "no-inodes"])
def test_as_root_interrupted_all_of_it_goes(place, state, tmp_path):
    interrupted(place, state, signal.SIGINT, tmp_path / "pids")


def test_every_state_and_verdict_is_listed_and_explained():
    done = cachestorm("list", "states", "--json")
    rows = json.loads(done.stdout)["states"]
    assert [row["name"] for row in rows] == list(STATES)
    assert all(row["summary"] and row["expect"] in VERDICTS for row in rows)
    one = cachestorm("list", "states", "swapped-for-links")
    assert "https://nvd.nist.gov/vuln/detail/CVE-2022-21658" in one.stdout
    assert "mkdir cache" in one.stdout
    assert "and beside the cleaner: " in one.stdout
    wrong = cachestorm("list", "states", "swaped-for-links")
    assert (wrong.returncode, wrong.stderr) == (
        2, "cachestorm: unknown state 'swaped-for-links'; nearest: swapped-for-links\n",
    )  # fmt: skip


@pytest.mark.root
def test_as_root_what_takes_root_is_not_skipped(place):
    states = ("immutable-file", "full-directory-of-another", "devices", "lower-layer", "no-inodes", "lock-of-another")
    arguments = [word for name in states for word in ("--state", name)]
    told = document(place, *arguments, "--cleaner", "hardened", code=0)
    assert {cell["state"]: cell["verdict"] for cell in told["cells"]} == {name: STATES[name].expect for name in states}


@pytest.mark.root
def test_as_root_a_round_that_was_moved_is_not_followed(place, tmp_path):
    """Flags and owners are taken from what was laid, and from nothing else."""
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").touch()
    os.chown(precious / "file", 1234, 1234)
    bad = MOVED.format(up="../..", away=tmp_path / "away", precious=precious)
    told = document(place, "--cleaner", bad, "--state", "sticky-file-of-another", code=1)
    assert told["cells"][0]["verdict"] == "harmed"
    assert (precious / "file").stat().st_uid == 1234
    assert not (tmp_path / "away").exists()


@pytest.mark.root
def test_as_root_what_could_be_inherited_is_not(place):
    program = "sh -c 'grep ^Cap /proc/self/status | grep -c 0000000000000000; exit 9' {cache}"
    inherit = ("setpriv", "--inh-caps", "+chown,+sys_admin,+linux_immutable")
    told = document(place, "--cleaner", program, "--state", "mode-0200", code=1, prefix=inherit)
    assert told["cells"][0]["error"].startswith("exit code 9: 5; ")


@pytest.mark.root
def test_as_root_cleaners_have_no_privileges(place):
    ask = "sh -c 'grep -q \"CapEff:.0000000000000000\" /proc/self/status && exit 7' {cache}"
    told = document(place, "--cleaner", ask, "--state", "mode-0200", code=1)
    assert told["cells"][0]["error"].startswith("exit code 7, and nothing printed")
