"""Explore your own code: actors, a setup and an oracle of yours, in a test.

    result = simulator.explore(actors=[store, store, sweep], setup=fill, oracle=is_whole)
    result.assert_holds()

`calls` has what is called, `plan` reads what is given, `answers` is what comes back.
"""
