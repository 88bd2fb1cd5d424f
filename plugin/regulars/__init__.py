"""The service: ask, check, keep, tell."""
