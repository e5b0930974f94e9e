"""What differs between two runs of one schedule is pinned for an actor, and different for each of them."""

from __future__ import annotations

import os
import random
import secrets
import tempfile
import time
import uuid

import pytest

from simulator.bridged.pinned import SLEEPS_MAX
from tests.support.bridged import Bridged


def draw(directory):
    name = os.path.basename(tempfile.mktemp(dir=directory))
    return os.getpid(), uuid.uuid4().hex, secrets.token_hex(4), random.random(), random.randint(0, 10**9), name


def test_each_actor_has_its_own_and_the_same_again(tmp_path):
    runs = [Bridged(tmp_path / place, draw, draw).run() for place in ("one", "two")]
    (one, two), again = [[run.result(place) for place in (0, 1)] for run in runs]
    assert [one, two] == again
    assert not set(one) & set(two)


def test_the_hosts_chance_goes_its_own_way(tmp_path):
    random.seed(7)
    expected = [random.random() for _ in range(3)]
    random.seed(7)
    found = [random.random()]
    Bridged(tmp_path, draw).run()
    assert [*found, random.random(), random.random()] == expected


def test_time_agrees_with_the_times_of_files(tmp_path):
    def actor(directory):
        before = time.time()
        open(f"{directory}/f", "w").close()
        return before, os.path.getmtime(f"{directory}/f"), time.time()

    before, modified, after = Bridged(tmp_path, actor).run().result()
    assert before - 1 <= modified <= after < before + 5


def test_sleep_takes_no_time_and_passes(tmp_path):
    def waits(directory):
        begun = time.monotonic()
        while time.monotonic() - begun < 3600:
            time.sleep(600)
        return time.monotonic() - begun

    assert 3600 <= Bridged(tmp_path, waits).run().result() < 3700


def test_a_loop_that_waits_for_another_actor_ends(tmp_path):
    looks = []

    def waits(directory):
        while not os.path.exists(f"{directory}/ready"):
            looks.append(1)
            time.sleep(0.1)
        return "seen"

    def works(directory):
        for number in range(SLEEPS_MAX * 3):
            os.mkdir(f"{directory}/{number}")
        os.mkdir(f"{directory}/ready")

    assert Bridged(tmp_path, waits, works).run().result() == "seen"
    assert len(looks) == SLEEPS_MAX + 1


def test_no_time_before_now(tmp_path):
    with pytest.raises(ValueError, match="non-negative"):
        Bridged(tmp_path, lambda: time.sleep(-1)).run().result()
