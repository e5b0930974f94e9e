"""A run that went wrong, told: its steps in columns, the story of a poisoning, the swap that would have saved it."""
