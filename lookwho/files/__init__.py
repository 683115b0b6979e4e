"""What can be done with files alone, without a database: analyse, compare, find, group, videos."""
