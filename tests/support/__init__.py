"""What tests share: real servers started for tests, made material, helpers."""
