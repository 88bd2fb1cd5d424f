"""Where the shop and its machines look."""
