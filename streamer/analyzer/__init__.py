"""The analyzer: every channel is heard as it sounds; see docs/analyzer.md."""
