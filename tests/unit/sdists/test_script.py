"""Setup scripts, read and not run: what is told, what is left unknown, and that reading ends."""

import pytest

from simulator.sdists.script import read_script
from simulator.sdists.tree import SourceTree
from simulator.sdists.values import UNKNOWN, Marker

FILES = """
    setup.py one/__init__.py one/two/__init__.py one/data/a.txt one/data/.b tests/__init__.py src/lib/__init__.py
    bare/x.py bin/run README
"""
TREE = SourceTree(FILES.split())


def said(body, **required):
    return read_script(f"from setuptools import setup, find_packages\n{body}", TREE, **required)


def argument(body, name="packages"):
    return said(body).arguments.get(name)


TELLING = {
    "literals": ("setup(packages=['a', 'b'])", ["a", "b"]),
    "a bound name": ("names = ['a']\nsetup(packages=names)", ["a"]),
    "concatenation": (
        "base = 'a'\nsetup(packages=[base, base + '.b', f'{base}.c', '%s.d' % base])",
        ["a", "a.b", "a.c", "a.d"],
    ),
    "format and join": ("setup(packages=['{}.{}'.format('a', 'b'), '.'.join(['c', 'd'])])", ["a.b", "c.d"]),
    "appended": ("names = ['a']\nnames.append('b')\nnames += ['c']\nsetup(packages=names)", ["a", "b", "c"]),
    "found": ("setup(packages=find_packages(exclude=['tests*']))", ["one", "one.two"]),
    "found elsewhere": ("setup(packages=find_packages(where='src'))", ["lib"]),
    "found and chosen": ("setup(packages=[n for n in find_packages() if n.startswith('one')])", ["one", "one.two"]),
    "found, filtered": ("setup(packages=list(filter(lambda n: n != 'tests', find_packages('.'))))", ["one", "one.two"]),
    "found by name of module": (
        "import setuptools\nsetuptools.setup(packages=setuptools.find_packages('src'))",
        ["lib"],
    ),
    "namespaces": (
        "import setuptools as s\ns.setup(packages=s.find_namespace_packages(include=['bare*', 'one.d*']))",
        ["bare", "one.data"],
    ),
    "unpacked arguments": ("kw = dict(packages=['a'], version=open('x').read())\nkw['name'] = 'n'\nsetup(**kw)", ["a"]),
    "updated arguments": ("kw = {}\nkw.update(packages=['a'])\nkw.update({'b': 1})\nsetup(**kw)", ["a"]),
    "a known test": (
        "import sys\nif sys.version_info >= (3, 8):\n  n = ['new']\nelse:\n  n = ['old']\nsetup(packages=n)",
        ["new"],
    ),
    "a test of the platform": (
        "import sys, os\nsetup(packages=['w'] if os.name == 'nt' or sys.platform == 'win32' else ['p'])",
        ["p"],
    ),
    "no variables": ("import os\nsetup(packages=['a'] if os.environ.get('X') else [os.getenv('Y', 'b')])", ["b"]),
    "a loop": (
        "n = []\nfor x in ('a', 'b', 'c'):\n  if x == 'b':\n    continue\n  n.append(x)\nsetup(packages=n)",
        ["a", "c"],
    ),
    "while": ("n = []\nwhile len(n) < 2:\n  n.append('a')\nsetup(packages=n)", ["a", "a"]),
    "walked": (
        """
import os
n = []
for d, ds, fs in os.walk('one'):
    if '__init__.py' in fs:
        n.append(d.replace(os.sep, '.'))
setup(packages=n)
""",
        ["one", "one.two"],
    ),
    "a function": (
        """
import os
def found(top):
    return [d for d, _, fs in os.walk(top) if os.path.exists(os.path.join(d, '__init__.py'))]
setup(packages=found('one'))
""",
        ["one", "one/two"],
    ),
    "globbed": ("from glob import glob\nsetup(packages=[f for f in glob('one/data/*')])", ["one/data/a.txt"]),
    "globbed from an absolute path": (
        """
import os, glob
here = os.path.dirname(os.path.abspath(__file__))
setup(packages=[os.path.relpath(f, here) for f in glob.glob(os.path.join(here, 'one', '*', '*.py'))])
""",
        ["one/two/__init__.py"],
    ),
    "called by a function": ("def main():\n  setup(packages=['a'])\nif __name__ == '__main__':\n  main()", ["a"]),
    "try, and it is there": (
        "try:\n  import json\n  n = ['a']\nexcept ImportError:\n  n = ['b']\nsetup(packages=n)",
        ["a"],
    ),
    "try, and it is not": (
        "try:\n  import nowhere\n  n = ['a']\nexcept ImportError:\n  n = ['b']\nsetup(packages=n)",
        ["b"],
    ),
    "try, and it is its own": (
        "try:\n  from bare import n\nexcept ImportError:\n  n = ['b']\nsetup(packages=['a'])",
        ["a"],
    ),
    "an import that must be there": ("import nowhere\nsetup(packages=['a'], version=nowhere.version)", ["a"]),
    "a missing file": (
        "try:\n  open('gone').read()\n  n = ['a']\nexcept IOError:\n  n = ['b']\nsetup(packages=n)",
        ["b"],
    ),
    "no key": ("import os\ntry:\n  n = [os.environ['X']]\nexcept KeyError:\n  n = ['b']\nsetup(packages=n)", ["b"]),
    "after an exit": ("raise SystemExit('nobody may run this')\nsetup(packages=['a'])", ["a"]),
    "in a branch that nobody can tell": ("import x\nif x.y:\n  setup(packages=['a'])", ["a"]),
    "global": ("n = []\ndef add():\n  global n\n  n = ['a']\nadd()\nsetup(packages=n)", ["a"]),
    "the first call counts": ("setup(packages=['a'])\nsetup(packages=['b'])", ["a"]),
    "distutils": ("from distutils.core import setup\nsetup(packages=['a'])", ["a"]),
    "a table that may have changed elsewhere": (
        "import x\nkw = dict(packages=['a'])\nif x.y:\n  kw.update(version='1')\n  kw['url'] = ''\nsetup(**kw)",
        ["a"],
    ),
}


@pytest.mark.parametrize(("body", "expected"), TELLING.values(), ids=TELLING)
def test_what_is_told(body, expected):
    assert argument(body) == expected


COMPUTED = {
    "an unknown module": "import x\nsetup(packages=x.packages)",
    "a file": "setup(packages=open('README').read().split())",
    "an unknown test": "import x\nn = ['a']\nif x.y:\n  n = ['b']\nsetup(packages=n)",
    "appended in an unknown branch": "import x\nn = ['a']\nif x.y:\n  n.append('b')\nsetup(packages=n)",
    "an unknown loop": "import x\nn = []\nfor y in x.z:\n  n.append(y)\nsetup(packages=n)",
    "an unknown end of a loop": "import x\nn = []\nfor y in 'ab':\n if x.z:\n  break\n n.append(y)\nsetup(packages=n)",
    "an unknown return": "import x\ndef f():\n  if x.y:\n    return ['a']\n  return ['b']\nsetup(packages=f())",
    "an unknown choice": "import x\nsetup(packages=[n for n in ['a', 'b'] if x.y(n)])",
    "a module of its own": "try:\n  from bare.x import n\nexcept ImportError:\n  n = ['b']\nsetup(packages=n)",
    "a class": "class Names(list):\n  pass\nsetup(packages=Names())",
    "eval": "setup(packages=eval('[1]'))",
    "exec": "n = __import__('os').listdir('.')\nsetup(packages=n)",
    "a sum that does not fit": "setup(packages=['a'] + 'b')",
}


@pytest.mark.parametrize("body", COMPUTED.values(), ids=COMPUTED)
def test_what_is_computed_is_unknown(body):
    found = argument(body)
    assert found is UNKNOWN or UNKNOWN in found


def test_arguments_that_cannot_be_named_are_told_of():
    named = said("import x\nsetup(name='a', **x.kw)")
    assert (named.called, named.all_named, named.arguments) == (True, False, {"name": "a"})
    assert said("setup(name='a')").all_named
    assert not said("pass").called


def test_a_back_end_that_is_named_does_not_import_from_the_folder():
    body = "try:\n  from bare.x import n\nexcept ImportError:\n  n = ['b']\nsetup(packages=n)"
    assert said(body, imports_own=False).arguments == {"packages": ["b"]}


def test_extension_modules_are_recognised():
    found = argument("from setuptools import Extension\nsetup(ext_modules=[Extension('a', ['a.c'])])", "ext_modules")
    assert [type(item) for item in found] == [Marker]
    assert said("try:\n  import Cython\n  e = [1]\nexcept ImportError:\n  e = []\nsetup(ext_modules=e)").arguments == {
        "ext_modules": []
    }
    required = said(
        "try:\n  import Cython\n  e = [1]\nexcept ImportError:\n  e = []\nsetup(ext_modules=e)",
        required=frozenset({"cython"}),
    )
    assert required.arguments == {"ext_modules": [1]}
    assert said("import skbuild\nskbuild.setup(name='a')").by == "skbuild.setup"


# A script that is made to hurt: it is read in no time and no memory, and executes nothing.
HOSTILE = {
    "for ever": "while True:\n  pass",
    "deep": "def f(n):\n  return f(n)\nf(1)",
    "wide": "x = ['a']\nwhile True:\n  x += x",
    "long": "x = 'a'\nwhile True:\n  x = x + x",
    "repeated": "x = 'a' * 10 ** 10\ny = ['a'] * (1 << 40)",
    "a wide format": "x = '%999999999d' % 1\ny = '{:>999999999}'.format(1)\nz = '%*d' % (999999999, 1)",
    "replaced": "x = 'a' * 100000\nx = x.replace('', x)\nx = x.join([x] * 1000)",
    "a long range": "x = list(range(10 ** 12))",
    "nested loops": "for a in range(100000):\n  for b in range(100000):\n    pass",
    "nested comprehensions": "x = [(a, b) for a in range(100000) for b in range(100000)]",
    "system": "import os\nos.system('touch /tmp/owned')\n__import__('shutil').rmtree('/')",
    "dunder": "x = ().__class__.__bases__[0].__subclasses__()",
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_reading_a_hostile_script_ends(body, monkeypatch):
    # The real bound is some twenty times as far away: a second.
    monkeypatch.setattr("simulator.sdists.script.STEPS_MAX", 5000)
    found = said(f"{body}\nsetup(packages=['a'])")
    assert found.arguments in ({"packages": ["a"]}, {})


def test_no_python_3_is_told():
    with pytest.raises(SyntaxError):
        said("print 'two'")
