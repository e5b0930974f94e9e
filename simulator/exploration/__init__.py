"""Which steps of a run depend on each other, and which runs differ only in the order of steps that do not."""
