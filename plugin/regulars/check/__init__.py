"""Check: is the handle that a customer typed an account on X.

``lookup`` is the port that the use cases know and ``gate`` what stands before it;
``x_api`` asks X itself, over ``x_line``, and ``x_answers`` knows what its answers mean.
"""
