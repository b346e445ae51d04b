"""An amoCRM account in memory: REST v4 as a WSGI app, webhooks through a courier, and a human's hand.

Build a `World` (world.py), serve it with `create_app` (app.py), let a `HookCourier` (courier.py) carry its webhooks,
act as somebody in the UI with `Person` (people.py) or as a client in a messenger with `Messenger` (messengers.py).
What it imitates, and what it does not claim: docs/simulator.md.
"""
