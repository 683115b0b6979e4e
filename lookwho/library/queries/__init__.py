"""What pages and the API read, by noun: each function takes a `Scope` first.

Each makes a fixed number of queries, however many rows there are, and long lists are paged.
"""
