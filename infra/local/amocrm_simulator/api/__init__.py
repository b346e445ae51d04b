"""REST v4: one module per resource, each with a Flask blueprint."""
