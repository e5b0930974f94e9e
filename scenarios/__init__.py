"""Data: scenarios (TOML) and package manifests (JSON). No code."""
