"""Benchmarks: seconds of this machine, and ratios to a floor measured in the same run. Never a timed test."""
