"""Migrations, as Django writes them."""
