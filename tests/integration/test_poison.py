"""Segments that end, hang or fill the engine they are in (planted faults): two attempts at most, then quarantine. What only
leaks costs nothing.

The neighbour's times are asserted nowhere: MILLRACE_FULL_SIZE=1 prints them, from a release build with fault hooks.
"""

import math
import os
import threading
import time
import unittest

from support.case import TINY, ClusterCase
from support.cluster import binary
from support.wait import eventually

FULL = bool(os.environ.get("MILLRACE_FULL_SIZE"))
POISONED = 7  # the number of the segment that the fault is planted in
NEIGHBOURS_SEGMENTS = 60 if FULL else 5  # before the faults begin
FAULTS_WHILE_WATCHED = 8 if FULL else 1
# fault: the reason that its engines are counted under
FAULTS = {"segv": "crash", "exit": "crash", "hog": "memory", "call": "forbidden_call", "hang": "timeout"}


def p99(seconds):
    return sorted(seconds)[math.ceil(len(seconds) * 0.99) - 1]


class Neighbour(threading.Thread):
    """Pushes segments at a live source's pace until told to stop; keeps every answer."""

    def __init__(self, case, orchestrator, stream):
        super().__init__(daemon=True)
        self.case, self.orchestrator, self.stream = case, orchestrator, stream
        self.answers, self.stopping = [], threading.Event()
        self.start()

    def run(self):
        clips = self.case.clips
        while not self.stopping.is_set():
            seq = POISONED + 1 + len(self.answers)  # the number counts in every session
            began = time.monotonic()
            self.answers.append(self.orchestrator.push(self.stream, f"{seq}.ts", clips[seq % len(clips)]))
            self.stopping.wait(max(0.0, 0.25 - (time.monotonic() - began)))

    def stop(self):
        self.stopping.set()
        self.join(60)
        return self.answers

    def wait_for(self, count):
        while len(self.answers) < count and self.is_alive():
            self.stopping.wait(0.05)


class Poison(ClusterCase):
    @classmethod
    def setUpClass(cls):
        if b"MILLRACE_ENGINE_FAULT\0" not in binary("transcoder").read_bytes():
            raise unittest.SkipTest("this build cannot plant faults (-DMILLRACE_FAULT_HOOKS=ON)")
        super().setUpClass()

    @classmethod
    def set_up_cluster(cls, cluster):
        pass

    def cluster_with(self, fault):
        """An orchestrator of its own for each fault: retries have a budget. And a transcoder whose engines have it."""
        cluster = self.new_cluster()
        self.orchestrator = cluster.orchestrator()
        return cluster.transcoder(self.orchestrator, slots=2, environment={"MILLRACE_ENGINE_FAULT": f"{fault}:{POISONED}"})

    def poisoned(self, salt=0):
        """Three seconds, so that two hangs fit before the deadline. Other bytes for each salt: in a null packet."""
        return b"".join(self.clips[:3]) + b"\x47\x1f\xff\x10" + salt.to_bytes(184, "big")

    def attempts(self):
        return self.orchestrator.metric("millrace_orchestrator_attempts_total")

    def restarts(self, transcoder):
        reasons = ("crash", "memory", "forbidden_call", "timeout", "cancelled", "spent")
        counted = {r: transcoder.metric("millrace_transcoder_engine_restarts_total", reason=r) for r in reasons}
        return {r: n for r, n in counted.items() if n}

    def submit(self, opened, body, seq=POISONED):
        return self.orchestrator.push(opened["stream"], f"{seq}.ts", body, headers={"Content-Duration": "3000"})

    def submitted(self, status, opened, body, seq=POISONED):
        """Until it is answered so: on a busy machine engines also count as hanging that are only slow."""
        return eventually(lambda: [a for a in [self.submit(opened, body, seq)] if a.status == status], 60, f"{seq} is answered {status}")[0]

    def test_each_fault_costs_two_attempts_and_then_its_segment_is_quarantined(self):
        for fault, reason in FAULTS.items():
            with self.subTest(fault):
                transcoder = self.cluster_with(fault)
                started = transcoder.metric("process_start_time_seconds")
                opened = self.session(self.orchestrator, TINY)
                body = self.poisoned()
                self.assertIn("crashed or hung", self.submitted(422, opened, body).json()["detail"])
                before = self.attempts()
                again = self.submit(opened, body)
                self.assert_status(again, 422, "BadSegment")
                self.assertEqual(self.attempts(), before, "a further submission starts nothing")
                if FULL:
                    print(f"\n  {fault}: the third submission was answered after {again.seconds * 1000:.0f} ms", end="", flush=True)
                # The session, its slot and its engine go on.
                self.submitted(200, opened, self.clips[3], POISONED + 1)
                lost = self.restarts(transcoder)
                self.assertTrue({reason, "timeout"} & set(lost), lost)
                if reason != "timeout":  # slow engines are counted there, too
                    self.assertLessEqual(lost.get(reason, 0), 2)
                self.assertEqual(transcoder.metric("process_start_time_seconds"), started)

    def test_an_engine_that_keeps_memory_past_its_task_is_replaced_without_a_loss(self):
        transcoder = self.cluster_with("leak")
        opened = self.session(self.orchestrator, TINY)
        self.submitted(200, opened, self.poisoned())
        self.submitted(200, opened, self.clips[3], POISONED + 1)
        self.assertIn("spent", self.restarts(transcoder))

    def test_a_neighbour_of_crashing_segments_is_served_as_if_nothing_happened(self):
        for fault in FAULTS if FULL else ("segv",):
            with self.subTest(fault):
                self._watch_a_neighbour(fault)

    def _watch_a_neighbour(self, fault):
        self.cluster_with(fault)
        neighbour = Neighbour(self, self.orchestrator, self.session(self.orchestrator, TINY)["stream"])
        self.addCleanup(neighbour.stop)
        neighbour.wait_for(NEIGHBOURS_SEGMENTS)
        quiet_until = len(neighbour.answers)
        for salt in range(FAULTS_WHILE_WATCHED):
            opened = self.session(self.orchestrator, TINY)
            self.assertNotEqual(self.submit(opened, self.poisoned(salt)).status, 200)
            self.orchestrator.end_session(opened["session_id"])
        neighbour.wait_for(len(neighbour.answers) + 1)
        answers = neighbour.stop()
        self.assertEqual([a.status for a in answers], [200] * len(answers), [a for a in answers if a.status != 200])
        if FULL:
            quiet, disturbed = ([a.seconds for a in half] for half in (answers[:quiet_until], answers[quiet_until:]))
            print(f"\n  {fault}: a neighbour's p99 {p99(disturbed) * 1000:.0f} ms beside it (n={len(disturbed)}), "
                  f"{p99(quiet) * 1000:.0f} ms without, ratio {p99(disturbed) / p99(quiet):.2f}", end="", flush=True)
