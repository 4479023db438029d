"""The realtime side; three processes, one folder each: engine, analyzer, web."""
