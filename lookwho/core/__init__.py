"""The engine: arrays in, arrays out. No Django, no network, no settings."""
