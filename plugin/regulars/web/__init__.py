"""What the faces share: the house they work for, problems, headers, visitors and languages."""
