"""Waiting for a condition with a deadline; the only place here that sleeps."""

import time

POLL_S = 0.02  # between two looks at a condition


class TimedOut(AssertionError):
    """A condition did not become true in time."""


def eventually(condition, within, what, poll=POLL_S):
    """Returns condition()'s first true value; raises TimedOut after `within` seconds.

    An OSError from the condition (a server that is not up yet) counts as "not yet".
    """
    deadline = time.monotonic() + within
    last = None
    while True:
        try:
            value = condition()
            if value:
                return value
            last = value
        except OSError as error:
            last = error
        if time.monotonic() >= deadline:
            raise TimedOut(f"{what}: not within {within:g} s (last seen: {last!r})")
        time.sleep(poll)
