"""Hosts: who drives actors. One truth: the same token gives the same trace under each of them."""
