"""Shrinking: of a failing run, a small one that fails in the same way.

`plan` is a schedule that survives changes, `follow` plays one, `pulling` orders a run's steps with few switches,
`keep` says what the same way is, `candidates` are smaller plans, `attempt` runs one, `shrinking` is the loop, `naming`
gives the builds that are left their usual names.
"""
