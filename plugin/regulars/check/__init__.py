"""Check: is the handle that a customer typed an account on X.

``lookup`` is the port that the use cases know, ``gate`` what stands before it and
``errand`` one call from claim to bill: ``cache``, ``coalesce``, ``pace``, ``terms``,
``trouble`` and ``usage`` say what is known, who travels together and what may be asked.
``x_api`` asks X itself, over ``x_line``, and ``x_answers`` knows what its answers mean.
"""
