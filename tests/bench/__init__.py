"""Benchmarks: what the README claims, measured side by side in one run (``make bench``)."""
