"""What can be done with files alone, without a database: walk, analyse, compare, find, group."""
