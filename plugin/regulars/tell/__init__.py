"""The shop's systems are told: events, endpoints, the outbox and what empties it."""
