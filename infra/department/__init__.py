"""`department.yaml`: reading, checking, resolving to amoCRM ids, and applying it to an account."""
