"""Many segments, one after the other: what a process holds does not grow with what it has done.

Short here. MILLRACE_SOAK=2000 runs that many segments through one engine and then through a tenth as many sessions of
ten, prints what was held on the way, and asks for flatness as the README states it. See README.md here.
"""

import os
import pathlib
import re

from support.case import TINY, ClusterCase
from support.processes import children

SEGMENTS = int(os.environ.get("MILLRACE_SOAK", 0))
LONG = SEGMENTS > 0
COUNT = SEGMENTS or 24
PER_SESSION = 10 if LONG else 4
LOOKS = 10
# Codecs of the long run, comma-separated: what an encoder's library keeps shows only there.
CODECS = os.environ.get("MILLRACE_SOAK_CODECS", "H.264").split(",")
# From the second look to the last: the first fills pools, windows of answers and caches. An orchestrator keeps each
# segment's ledger row on disk, and SQLite as much of it in memory as its cache may hold.
GROWTH_MAX_KIB = 8 * 1024


def held(pid):
    """(KiB of memory, descriptors) of a process."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]), len(os.listdir(f"/proc/{pid}/fd"))


class Soak(ClusterCase):
    @classmethod
    def set_up_cluster(cls, cluster):
        # Few answers are kept, so that the window is full at the second look.
        cls.orchestrator = cluster.orchestrator("--keep-bytes", "1MiB")
        cls.transcoder = cluster.transcoder(cls.orchestrator, slots=1)

    def look(self):
        (engine,) = children(self.transcoder.process.pid)
        return {"orchestrator": held(self.orchestrator.process.pid), "transcoder": held(self.transcoder.process.pid),
                "engine": held(engine)}

    def push(self, opened, seq):
        answer = self.orchestrator.push(opened["stream"], f"{seq}.ts", self.clips[seq % len(self.clips)])
        self.assert_status(answer, 200)

    def soak(self, what, sessions, segments, codec):
        ladder = [{**TINY[0], "encoder": codec}]
        looks, done = [], 0
        for _ in range(sessions):
            opened = self.session(self.orchestrator, ladder)
            for seq in range(segments):
                self.push(opened, seq)
                done += 1
                if done % max(1, sessions * segments // LOOKS) == 0:
                    looks.append((done, self.look()))
            self.orchestrator.end_session(opened["session_id"])
        self.assert_flat(f"{what}, {codec}", looks)

    def assert_flat(self, what, looks):
        for process in ("orchestrator", "transcoder", "engine"):
            memory = [(done, held[process][0]) for done, held in looks]
            descriptors = [held[process][1] for _, held in looks]
            (first, before), (last, after) = memory[1], memory[-1]
            if LONG:
                print(f"\n  {what}, {process}: MiB {' '.join(f'{kib / 1024:.1f}' for _, kib in memory)}; "
                      f"{(after - before) / (last - first):.2f} KiB a segment; descriptors {min(descriptors)} to {max(descriptors)}",
                      end="", flush=True)
                self.assertLess(after - before, GROWTH_MAX_KIB, f"{what}: memory of the {process}")
            # A connection that is just being closed may still be open at one look.
            self.assertLessEqual(max(descriptors[1:]) - min(descriptors[1:]), 4, f"{what}: descriptors of the {process}: {descriptors}")

    def test_segments_through_one_engine(self):
        for codec in CODECS if LONG else ["H.264"]:
            with self.subTest(codec):
                self.soak("one session", 1, COUNT, codec)

    def test_segments_through_many_sessions(self):
        self.soak("many sessions", COUNT // PER_SESSION, PER_SESSION, "H.264")
