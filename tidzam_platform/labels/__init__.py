"""Class paths, and readers of labels in the formats that people have."""
