"""What the engine can carry, measured."""
