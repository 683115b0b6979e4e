"""What is stored: models, reads and nearest-face search."""
