"""X accounts stay true: what is held of an account follows what the account is on X.

``refresh`` asks again by number, ``settling`` writes down what came of it, and
``letting_go`` drops what X said, of everybody or of one customer.
"""
