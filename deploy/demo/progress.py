"""How far the streams are: a bar on a terminal, a line now and then elsewhere."""

import sys

BAR = 24  # characters
LINE_EVERY = 6  # segments, where there is no terminal


class Progress:
    def __init__(self, broadcasters):
        self._broadcasters = broadcasters
        self._bar = sys.stdout.isatty()
        self._told = -1

    def show(self, note=""):
        done = sum(len(b.pushed) for b in self._broadcasters)
        if self._bar:
            parts = []
            for b in self._broadcasters:
                filled = BAR * len(b.pushed) // b.total
                parts.append(f"{b.source.name} [{'#' * filled}{'.' * (BAR - filled)}] {len(b.pushed)}/{b.total}")
            print(f"\r  {'  '.join(parts)}  {note}\x1b[K", end="", flush=True)
        elif done // LINE_EVERY != self._told:
            self._told = done // LINE_EVERY
            print("  " + "  ".join(f"{b.source.name} {len(b.pushed)}/{b.total}" for b in self._broadcasters) + f"  {note}", flush=True)

    def say(self, text):
        """A line of its own, above the bar."""
        print(f"\r{text}\x1b[K" if self._bar else text, flush=True)

    def end(self):
        if self._bar:
            print(flush=True)
