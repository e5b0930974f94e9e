"""Real source distributions, read and never run: what a build of one would read and write, as a manifest."""
