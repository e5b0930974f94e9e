"""How like a simulated build is to a real one.

`manifest`: what a package makes a build read and write. `solo`: one build alone, as rows. `fidelity`: two builds' rows,
compared.
"""
