"""Google Calendar v3 and Google Meet v2 as far as Conveyor uses them, at their own hosts and on one port.

It keeps what the public contract says and what is known from the field, and has a switch where neither settles a
question. Judged by clients that others wrote (tests/contract/test_google_public_clients.py).
"""
