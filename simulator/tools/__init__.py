"""Real tools: what they published, and (later) real builds and installs."""
