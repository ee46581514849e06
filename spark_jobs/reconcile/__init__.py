"""Reconciliation as data: checks declared in YAML, their results and differences in Delta, and what is said about a difference."""
