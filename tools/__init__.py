"""What `make` runs: the set-up. Not part of the package."""
