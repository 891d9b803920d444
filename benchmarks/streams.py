"""Live sources for benchmarks that drive a real orchestrator, and what their answers took."""

import os
import pathlib
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
os.environ.setdefault("MILLRACE_BIN", str(ROOT / "build" / "release" / "bin"))

from support import media  # noqa: E402


class Stream(threading.Thread):
    """A live source: a segment every so often, whether or not the one before has been answered in time."""

    def __init__(self, orchestrator, name, segments, start):
        super().__init__(daemon=True)
        self.orchestrator, self.name_, self.segments, self.start_ = orchestrator, name, segments, start
        self.took = []  # (seconds from the last byte to the answer, seconds of video)
        self.refused = []
        self.start()

    def run(self):
        due = self.start_
        waiting = []
        for seq, (body, seconds) in enumerate(self.segments):
            due += seconds  # it is complete when its time has passed
            time.sleep(max(0.0, due - time.monotonic()))
            one = threading.Thread(target=self.push, args=(seq, body, seconds), daemon=True)
            one.start()
            waiting.append(one)
        for one in waiting:
            one.join(60)

    def push(self, seq, body, seconds):
        since = time.monotonic()
        answer = self.orchestrator.push(self.name_, f"{seq}.ts", body, multipart=True)
        if answer.status == 200:
            self.took.append((time.monotonic() - since, seconds))
        else:
            self.refused.append(answer)


def cut(clip, where, seconds, every):
    """Segments of a clip as [(bytes, seconds)]."""
    parts = media.segment_copy(clip, where, seconds, every)
    return [(part.read_bytes(), sum(d for _, d in media.packet_times(part))) for part in parts]


def quantile(values, q):
    return sorted(values)[min(len(values) - 1, int(q * len(values)))]
