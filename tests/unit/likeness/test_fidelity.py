"""Rows from steps, and their comparison."""

import errno

import pytest

from simulator.engine.trace import Step
from simulator.likeness.fidelity import Row, compare, from_tsv, phases, rows, shown, to_tsv


def step(operation, path, *, target=None, mode=None, number=None):
    return Step("build-1", "build_py", operation, path, target, mode, number, None, None)


def test_rows_keep_changes_and_directory_openings_below_the_build_directories():
    steps = [
        step("mkdir", "s/build", mode=0o777),
        step("create", "s/build/lib/a.py"),
        step("create-excl", "s/p.egg-info/tmpbuild-1"),
        step("chmod", "s/p.egg-info/tmpbuild-1", mode=0o644),
        step("rename", "s/p.egg-info/tmpbuild-1", target="s/p.egg-info/PKG-INFO"),
        step("listdir", "s/build/lib"),
        step("opendir", "s/build/lib"),
        step("mkdir", "s/build/lib", number=errno.EEXIST),
        step("mkdir", "s/dist/.tmp-build-1"),
        # What rows leave out:
        step("scandir", "s/build/lib"),
        step("stat", "s/build"),
        step("open", "s/build/lib/a.py"),
        step("write", "s/build/lib/a.py"),
        step("listdir", "s/package"),
        step("mkdir", "s/builds"),
        step("mkdir", "elsewhere/build"),
        step("mkdir", "s2/build"),
    ]
    assert rows(steps, "s") == [
        ("mkdir", "build", "", "ok"),
        ("create", "build/lib/a.py", "", "ok"),
        ("create-excl", "p.egg-info/tmp<id>", "", "ok"),
        ("chmod", "p.egg-info/tmp<id>", "0644", "ok"),
        ("rename", "p.egg-info/tmp<id>", "p.egg-info/PKG-INFO", "ok"),
        ("opendir", "build/lib", "", "ok"),
        ("opendir", "build/lib", "", "ok"),
        ("mkdir", "build/lib", "", "EEXIST"),
        ("mkdir", "dist/.tmp-<id>", "", "ok"),
    ]


def test_output_elsewhere_is_shown_as_dist():
    steps = [step("mkdir", "out/x"), step("rename", "out/x/.tmp-b/w.whl", target="out/x/w.whl")]
    assert rows(steps, "s", "out/x") == [
        ("mkdir", "dist", "", "ok"),
        ("rename", "dist/.tmp-<id>/w.whl", "dist/w.whl", "ok"),
    ]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("s/dist/.tmp-a/w.whl", "dist/.tmp-<id>/w.whl"),
        ("s/p.egg-info/tmpa", "p.egg-info/tmp<id>"),
        ("s/src/p.egg-info/tmpa", "src/p.egg-info/tmp<id>"),
        ("s", None),
    ],
)
def test_shown(path, expected):
    assert shown(path, {"s": ""}) == expected


def test_tsv_goes_there_and_back():
    table = [Row("mkdir", "build", "", "ok"), Row("rename", "dist/a", "dist/b", "EACCES")]
    assert from_tsv("# a comment\n" + to_tsv(table)) == table


def test_bad_tsv_names_the_line():
    with pytest.raises(ValueError, match=r"line 2: expected 4 columns, got 'mkdir\\tbuild'"):
        from_tsv("# op\nmkdir\tbuild\n")


BUILD = [
    Row("create", "build/lib/a.py", "", "ok"),
    Row("create", "p.egg-info/requires.txt", "", "ok"),
    Row("create", "build/bdist.x/wheel/a.py", "", "ok"),
    Row("mkdir", "build/bdist.x/wheel", "", "EEXIST"),
    Row("mkdir", "build/bdist.x/wheel/p-py3.11.egg-info", "", "ok"),
    Row("create", "build/bdist.x/wheel/p.dist-info/METADATA", "", "ok"),
    Row("rmdir", "build/bdist.x/wheel/p-py3.11.egg-info", "", "ok"),
    Row("create", "dist/.tmp-<id>/p.whl", "", "ok"),
    Row("unlink", "build/bdist.x/wheel/a.py", "", "ok"),
    Row("unlink", "build/bdist.x/wheel/p.dist-info/METADATA", "", "ok"),
    Row("rename", "dist/.tmp-<id>/p.whl", "dist/p.whl", "ok"),
]


def test_the_same_rows_in_another_order_within_a_phase_are_the_same():
    swapped = [*BUILD[:8], BUILD[9], BUILD[8], BUILD[10]]
    comparison = compare(swapped, BUILD)
    assert (comparison.f1, comparison.exact_differences, comparison.phase_order_same) == (1.0, 0, True)
    assert comparison.first_differences == ()


def test_phases_are_read_off_the_rows():
    assert phases(BUILD) == [
        "build_py", "egg_info", "install_lib", "install_egg_info", "dist_info", "zip", "rmtree", "publish",
    ]  # fmt: skip


def test_phases_in_another_order_are_noticed():
    assert not compare([BUILD[1], BUILD[0], *BUILD[2:]], BUILD).phase_order_same


def test_missing_create_lowers_f1_and_is_no_exact_difference():
    comparison = compare(BUILD[1:], BUILD)
    assert comparison.f1 == pytest.approx(2 * 10 / 21)
    assert comparison.exact_differences == 0
    assert comparison.first_differences == ("- create build/lib/a.py  ok",)


def test_multiplicity_counts():
    assert compare([*BUILD, BUILD[0]], BUILD).f1 == pytest.approx(2 * 11 / 23)


@pytest.mark.parametrize("position", [3, 4, 6, 10])
def test_missing_directory_rename_or_error_is_an_exact_difference(position):
    assert compare(BUILD[:position] + BUILD[position + 1 :], BUILD).exact_differences == 1


def test_a_failed_create_is_an_exact_difference():
    failed = BUILD[0]._replace(result="EACCES")
    assert compare([failed, *BUILD[1:]], BUILD).exact_differences == 1
