"""The model repository: versions, signatures, labels, garbage, and what model servers read."""
