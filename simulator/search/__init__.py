"""Many runs of one subject: samplers, systematic search, what they found and what that means.

`subject` says what can be run, `found` keeps what came of it, `result` is the answer; `sampling` draws schedules by
seed.
"""
