"""Numbers that every function plans its work with."""

from __future__ import annotations

from datetime import timedelta

LEASE = timedelta(seconds=75)
"""Longer than the function's timeout of 60 s: whoever decided is finished or dead when it ends."""

LEFT_FOR_A_SLICE = timedelta(seconds=25)
"""A slice is begun only with this much time left; what is not begun comes back."""

DUE_AT_ONCE = 150
"""Leads that one tick looks at because their time has come; after a long night the next tick takes the next ones."""

READ_ALONE = 20
"""More leads than this are not read one by one in one run: the others come back later."""

CLOCKS_APART = timedelta(minutes=1)
"""What amoCRM dates is compared with our own clock."""
