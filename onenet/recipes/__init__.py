"""Recipes that are shipped: TOML files, each laid over default.toml."""
