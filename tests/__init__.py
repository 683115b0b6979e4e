"""The tests mirror lookwho/: tests/core/test_align.py tests lookwho/core/align.py."""
