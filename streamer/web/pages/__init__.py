"""The pages of the web process: plain HTML and JavaScript of our own, nothing from elsewhere."""
