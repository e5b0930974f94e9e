"""What a setup script makes the back end look at: read off its text, and made by the toolchain."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
import trio

from simulator.actors.toolchains import TOOLCHAINS
from simulator.ground.sandbox import Sandbox
from simulator.likeness.solo import solo
from simulator.scenario_file import package_manifests
from simulator.sdists.looks import imported_modules, searches_root


@pytest.mark.parametrize(
    ("text", "modules"),
    [
        ("import pkg_resources", ("pkg_resources",)),
        ("import setuptools.command.test as t", ("setuptools.command.test",)),
        ("from setuptools.command.test import test", ("setuptools.command.test", "setuptools.command.test.test")),
        ("from setuptools.command import develop", ("setuptools.command", "setuptools.command.develop")),
        ("try:\n  import pkg_resources\nexcept ImportError: pass", ("pkg_resources",)),
        ("if x:\n  import pkg_resources", ("pkg_resources",)),
        ("import os, distutils.core\nfrom . import setuptools", ()),
        ("def f():\n  import pkg_resources", ()),
        ("class C:\n  def f(self):\n    import pkg_resources", ()),
        ("import setuptools_scm", ()),
        ("print 'two'", ()),
    ],
)
def test_imports(text, modules):
    assert imported_modules(text) == modules


@pytest.mark.parametrize(
    ("text", "searches"),
    [
        ("setup(packages=find_namespace_packages())", True),
        ("p = [x for x in setuptools.find_namespace_packages() if x]", True),
        ("find_namespace_packages('.')", True),
        ("find_namespace_packages(where='', exclude=['tests'])", True),
        ("PEP420PackageFinder.find()", True),
        ("setuptools.PEP420PackageFinder.find()", True),
        ("find_namespace_packages('src')", False),
        ("find_namespace_packages(where='src')", False),
        ("find_namespace_packages(exclude=['dist*'])", False),
        ("find_namespace_packages('.', ('tests', 'dist'))", False),
        ("find_packages()", False),
        ("my_find_namespace_packages()", False),
        ("def f():\n  find_namespace_packages()", False),
        ("print 'two'", False),
    ],
)
def test_searches_of_the_root(text, searches):
    assert searches_root(text) is searches


@pytest.mark.slow
@pytest.mark.parametrize(
    ("toolchain", "changes", "more"),
    [
        ("setuptools-69.5.1", {"setup_imports": ("setuptools.command.test",)}, {"threadloop.egg-info": 2}),
        ("setuptools-69.5.1", {"setup_imports": ("pkg_resources", "setuptools.sandbox")}, {"threadloop.egg-info": 2}),
        ("setuptools-69.5.1", {"setup_imports": ("setuptools", "setuptools.command")}, {}),
        ("setuptools-75.6.0", {"setup_imports": ("setuptools.command.test",)}, {}),
        ("setuptools-75.6.0", {"setup_imports": ("pkg_resources",)}, {"threadloop.egg-info": 2}),
        ("setuptools-84.2.1", {"setup_imports": ("pkg_resources",)}, {}),
        ("setuptools-84.2.1", {"finds_in_root": True}, {"dist": 1}),
    ],
)
def test_the_toolchain_looks_there(ground, toolchain, changes, more):
    package = package_manifests()["threadloop==1.0.2"]
    looking = replace(package, build=replace(package.build, **changes))

    async def opened(which):
        with Sandbox.create(ground) as sandbox:
            rows = await solo(which, TOOLCHAINS[toolchain], sandbox)
        return Counter(row.path for row in rows if row.operation == "opendir")

    async def both():
        return await opened(looking) - await opened(package)

    assert trio.run(both) == more
