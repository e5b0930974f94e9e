"""Data: scenarios (TOML), package manifests (JSON), hostile states of caches (functions that say what is in them)."""
