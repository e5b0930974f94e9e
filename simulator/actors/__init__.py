"""Actors: simulated installs, the toolchains that they build with, cleaners."""
