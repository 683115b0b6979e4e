"""Settings, read once, and the wiring of URLs."""
