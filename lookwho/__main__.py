"""`python -m lookwho` is the command `lookwho`."""

from lookwho.cli import main

main()
