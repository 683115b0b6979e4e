"""What can be done: one verb a function; the only code that writes to the database."""
