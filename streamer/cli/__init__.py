"""Commands of the streamer."""
