"""What all processes of Tidzam share: audio, catalog, store, labels, datasets, classifiers, operations."""

__version__ = "0.1.0"
