"""The element for the shop's pages: a folder for each version, served for ever, and who serves it."""
