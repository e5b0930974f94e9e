"""What makes one step: actors, the gate they wait at, the gated kernel, the record. Nothing here knows a scenario."""
