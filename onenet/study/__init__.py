"""Grids over models and seeds: every figure of docs/results.md comes from one of them."""
