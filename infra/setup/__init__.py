"""Setting an installation up: its secrets, its doctor."""
