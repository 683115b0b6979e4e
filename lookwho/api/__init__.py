"""The HTTP API: everything that a page can do, with the same permissions."""
