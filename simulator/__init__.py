"""Everything that runs actors: the gate, the kernel behind it, hosts, strategies, faults, oracles, runs."""
