"""What breaks: transcoders and orchestrators killed, stopped, restarted and drained while segments flow.

In each, broadcasters push as they would live, and every segment must be answered as if nothing had happened: the same
names, sizes and frames. What an undisturbed pass of the same segments gives is the reference.
"""

import os
import signal
import threading
import time

from support import media
from support.case import SIZES, STEADY, ClusterCase
from support.processes import children
from support.wait import eventually


class Broadcaster(threading.Thread):
    """Pushes segments one after the other, `pause` seconds apart, and keeps every answer."""

    def __init__(self, orchestrator, stream, clips, token=None, retry=False, pause=0.0):
        super().__init__(daemon=True)
        self.orchestrator, self.stream, self.clips, self.retry, self.pause = orchestrator, stream, clips, retry, pause
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.answers = []
        self.start()

    def run(self):
        for seq, clip in enumerate(self.clips):
            self.answers.append(self._push(seq, clip))
            if self.pause:
                time.sleep(self.pause)  # a live source's rhythm, not a wait for anything

    def _push(self, seq, clip):
        deadline = time.monotonic() + 30
        while True:
            try:
                answer = self.orchestrator.push(self.stream, f"{seq}.ts", clip, multipart=True, headers=self.headers)
                if answer.status == 200 or not self.retry or time.monotonic() > deadline:
                    return answer
            except OSError:
                if not self.retry or time.monotonic() > deadline:
                    raise
            time.sleep(0.1)

    def finished(self, within):
        self.join(within)
        if self.is_alive():
            raise AssertionError(f"{self.stream}: only {len(self.answers)} of {len(self.clips)} answered within {within} s")
        return self.answers


class Faults(ClusterCase):
    COUNT = 12

    @classmethod
    def set_up_cluster(cls, cluster):
        orchestrator = cluster.orchestrator()
        transcoder = cluster.transcoder(orchestrator, slots=1)
        stream = "reference"
        assert orchestrator.open_session(stream, STEADY).status == 201
        answers = Broadcaster(orchestrator, stream, cls.clips[:cls.COUNT]).finished(60)
        assert all(a.status == 200 for a in answers), answers
        cls.reference = [a.renditions() for a in answers]
        transcoder.terminate()
        orchestrator.terminate()

    def cluster_of(self, transcoders=2, slots=2):
        cluster = self.new_cluster()
        orchestrator = cluster.orchestrator()
        return orchestrator, [cluster.transcoder(orchestrator, slots=slots) for _ in range(transcoders)]

    def holder(self, orchestrator, transcoders, stream):
        name = eventually(lambda: (orchestrator.session(stream) or {}).get("transcoder"), 10, "the session has a slot")
        return next(t for t in transcoders if t.name == name), [t for t in transcoders if t.name != name]

    def in_flight(self, orchestrator, stream, at_least_ok):
        def look():
            session = orchestrator.session(stream)
            return session and session["segments_ok"] >= at_least_ok and session["in_flight"] >= 1
        eventually(look, 30, f"segment {at_least_ok} of {stream} in flight", poll=0.005)

    def assert_as_if_nothing_happened(self, answers):
        self.assertEqual([a.status for a in answers], [200] * len(answers), [a for a in answers if a.status != 200])
        for seq, (answer, expected) in enumerate(zip(answers, self.reference)):
            got = answer.renditions()
            self.assertEqual(list(got), list(expected))
            for name in expected:
                self.assertEqual(got[name] == expected[name], True, f"segment {seq} {name} differs from an undisturbed pass")
        for name, size in SIZES.items():
            joined = b"".join(a.renditions()[name] for a in answers)
            probe = media.Probe(joined)
            self.assertEqual((probe.width, probe.height, probe.frames), (*size, sum(media.Probe(c).frames for c in self.clips[:len(answers)])))
            times = [pts for pts, _ in media.packet_times(joined)]
            self.assertLess(max(b - a for a, b in zip(times, times[1:])), 0.045, "no gap over one frame")

    def test_a_killed_transcoder_costs_no_segment(self):
        orchestrator, transcoders = self.cluster_of()
        opened = self.session(orchestrator, STEADY)
        broadcaster = Broadcaster(orchestrator, opened["stream"], self.clips[:self.COUNT])
        self.in_flight(orchestrator, opened["stream"], 4)
        victim, (other,) = self.holder(orchestrator, transcoders, opened["stream"])
        victim.kill()
        self.assert_as_if_nothing_happened(broadcaster.finished(40))
        self.assertEqual(orchestrator.session(opened["stream"])["transcoder"], other.name)
        self.assertEqual(orchestrator.session(opened["stream"])["segments_failed"], 0)
        self.assertLess(max(a.seconds for a in broadcaster.answers), 4.5)
        eventually(lambda: not orchestrator.transcoder_is(victim.name, "ready"), 1.5, "the dead one is not ready")
        victim.start()

    def test_a_stopped_transcoder_is_replaced_and_serves_again_when_it_goes_on(self):
        orchestrator, transcoders = self.cluster_of()
        opened = self.session(orchestrator, STEADY)
        broadcaster = Broadcaster(orchestrator, opened["stream"], self.clips[:self.COUNT])
        self.in_flight(orchestrator, opened["stream"], 4)
        stopped, (other,) = self.holder(orchestrator, transcoders, opened["stream"])
        stopped.process.signal(signal.SIGSTOP)
        since = time.monotonic()
        self.addCleanup(stopped.process.signal, signal.SIGCONT)
        eventually(lambda: not orchestrator.transcoder_is(stopped.name, "ready"), 4.5, "silence is noticed")
        self.assert_as_if_nothing_happened(broadcaster.finished(40))
        committed = orchestrator.metric("millrace_orchestrator_segments_total", outcome="ok")
        eventually(lambda: time.monotonic() - since >= 10, 12, "ten seconds of silence", poll=0.1)
        stopped.process.signal(signal.SIGCONT)
        eventually(lambda: orchestrator.transcoder_is(stopped.name, "ready"), 3, "it serves again")
        # What it had in hand is late now: nothing is answered or booked twice.
        other.kill()
        again = self.session(orchestrator, STEADY)
        self.assert_as_if_nothing_happened(Broadcaster(orchestrator, again["stream"], self.clips[:3]).finished(30))
        self.assertEqual(orchestrator.metric("millrace_orchestrator_segments_total", outcome="ok"), committed + 3)
        self.assertEqual(orchestrator.session(opened["stream"])["segments_ok"], self.COUNT)

    def test_a_stopped_orchestrator_loses_nobody_when_it_goes_on(self):
        """Longer than a lease, and longer than transcoders keep a silent connection."""
        orchestrator, transcoders = self.cluster_of()
        opened = self.session(orchestrator, STEADY)
        broadcaster = Broadcaster(orchestrator, opened["stream"], self.clips[:self.COUNT])
        self.in_flight(orchestrator, opened["stream"], 4)
        orchestrator.process.signal(signal.SIGSTOP)
        self.addCleanup(orchestrator.process.signal, signal.SIGCONT)
        since = time.monotonic()
        eventually(lambda: time.monotonic() - since >= 7, 8, "seven seconds of standing still", poll=0.1)
        orchestrator.process.signal(signal.SIGCONT)
        self.assert_as_if_nothing_happened(broadcaster.finished(60))
        self.assertEqual(orchestrator.session(opened["stream"])["segments_failed"], 0)
        for transcoder in transcoders:
            eventually(lambda t=transcoder: orchestrator.transcoder_is(t.name, "ready"), 10, f"{transcoder.name} is ready")
        self.assertNotRegex(orchestrator.process.text(), r"(?m)transcoder.*\blost\b")

    def test_a_killed_orchestrator_comes_back_where_it_was(self):
        orchestrator, transcoders = self.cluster_of()
        opened = self.session(orchestrator, STEADY)
        epoch = orchestrator.status()["epoch"]
        broadcaster = Broadcaster(orchestrator, opened["stream"], self.clips[:self.COUNT], token=opened["token"], retry=True)
        self.in_flight(orchestrator, opened["stream"], 5)
        orchestrator.kill()
        orchestrator.start()
        returned = time.monotonic()
        for transcoder in transcoders:
            eventually(lambda t=transcoder: orchestrator.transcoder_is(t.name, "ready"), 3 - (time.monotonic() - returned),
                       f"{transcoder.name} is back within 3 s")
        self.assert_as_if_nothing_happened(broadcaster.finished(60))
        self.assertEqual(orchestrator.status()["epoch"], epoch + 1)
        # Segment 0 was answered before the restart: it is made again, with the same names and sizes.
        before = self.reference[0]
        repeated = orchestrator.push(opened["stream"], "0.ts", self.clips[0], multipart=True,
                                     headers={"Authorization": f"Bearer {opened['token']}"})
        self.assert_status(repeated, 200)
        self.assertEqual(list(repeated.renditions()), list(before))
        for name, content in repeated.renditions().items():
            probe = media.Probe(content)
            self.assertEqual((probe.width, probe.height), SIZES[name])
        # The numbers players see go on where they were.
        playlist = orchestrator.playlist(f"{opened['stream']}/small.m3u8").body.decode()
        self.assertNotIn("#EXT-X-MEDIA-SEQUENCE:0\n", playlist)

    def test_a_restarted_orchestrator_keeps_what_it_booked(self):
        orchestrator, _ = self.cluster_of(transcoders=1)
        opened = self.session(orchestrator, STEADY)
        Broadcaster(orchestrator, opened["stream"], self.clips[:3]).finished(30)
        orchestrator.kill()
        orchestrator.start()
        self.assertEqual(orchestrator.session(opened["stream"])["id"], opened["session_id"])
        answer = eventually(lambda: self.pushed(orchestrator, opened, 3), 10, "the session goes on")
        self.assertEqual(answer.json()["session_id"], opened["session_id"])
        self.assertEqual(answer.json()["run"], 0)

    def pushed(self, orchestrator, opened, seq):
        answer = orchestrator.push(opened["stream"], f"{seq}.ts", self.clips[seq], headers={"Authorization": f"Bearer {opened['token']}"})
        return answer if answer.status == 200 else None

    def test_a_drained_transcoder_finishes_what_it_has_and_leaves(self):
        orchestrator, transcoders = self.cluster_of()
        opened = self.session(orchestrator, STEADY)
        broadcaster = Broadcaster(orchestrator, opened["stream"], self.clips[:self.COUNT])
        self.in_flight(orchestrator, opened["stream"], 4)
        leaving, (other,) = self.holder(orchestrator, transcoders, opened["stream"])
        leaving.process.signal(signal.SIGTERM)
        self.assertEqual(leaving.process.exit_code(15), 0)
        self.assert_as_if_nothing_happened(broadcaster.finished(40))
        self.assertEqual(orchestrator.session(opened["stream"])["transcoder"], other.name)
        self.assertEqual(orchestrator.session(opened["stream"])["segments_failed"], 0)

    def test_a_killed_engine_costs_one_attempt(self):
        orchestrator, (transcoder,) = self.cluster_of(transcoders=1)
        opened = self.session(orchestrator, STEADY)
        broadcaster = Broadcaster(orchestrator, opened["stream"], self.clips[:self.COUNT])
        self.in_flight(orchestrator, opened["stream"], 4)
        engines = children(transcoder.process.pid)
        self.assertTrue(engines, "engines are children of the transcoder")
        for pid in engines:
            os.kill(pid, signal.SIGKILL)
        self.assert_as_if_nothing_happened(broadcaster.finished(40))
        self.assertTrue(transcoder.process.running())

    def test_two_broadcasters_and_transcoders_that_come_and_go(self):
        orchestrator, transcoders = self.cluster_of(transcoders=2)
        opened = [self.session(orchestrator, STEADY) for _ in range(2)]
        broadcasters = [Broadcaster(orchestrator, s["stream"], self.clips[:self.COUNT], pause=0.1) for s in opened]
        for round_number, victim in enumerate(transcoders):
            self.in_flight(orchestrator, opened[0]["stream"], 2 + 4 * round_number)
            victim.kill()
            victim.start()
        for broadcaster in broadcasters:
            self.assert_as_if_nothing_happened(broadcaster.finished(60))
