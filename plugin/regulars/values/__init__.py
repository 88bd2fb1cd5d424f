"""The words of the product as pure values: they parse or refuse, and know neither database nor network."""
