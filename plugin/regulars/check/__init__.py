"""Check: is the handle that a customer typed an account on X.

``lookup`` is the port that the use cases know, ``x_api`` asks X itself, and
``x_answers`` knows what X's answers mean.
"""
