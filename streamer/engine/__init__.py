"""Sources, audio graph, mixer, archive recording, Icecast encoders."""
