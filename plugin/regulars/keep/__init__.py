"""What is held: one module per subject, its tables beside its queries."""
