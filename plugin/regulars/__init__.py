"""The service. A signup's way through it is one walk down:

``ask`` (a face takes the form) → ``signup`` (the use case) → ``check`` (is the
handle real) → ``keep`` and ``tell`` (customer, event and deliveries in one
transaction) → ``worker`` (sends what is due).
"""
