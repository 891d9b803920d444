"""What the orchestrator keeps on disk: full and broken disks, kill -9 at any instant, backups on another directory.

MILLRACE_CRASHES=N: that many kills instead of a few (battery 16 asks for 200; about 8 s each), and 66 inside commits.
MILLRACE_CROWD=N: that many transcoders join again after a kill instead of a few (battery 16 asks for 200: 3 GiB, 3 min).
"""

import os
import random
import re
import shutil
import signal
import sqlite3
import time
import unittest

from support import disk, media
from support.case import SIZES, TINY, ClusterCase
from support.cluster import binary
from support.processes import run_to_end
from support.wait import eventually
from integration.test_faults import Broadcaster

CRASHES = int(os.environ.get("MILLRACE_CRASHES", "3"))
STORAGE_EXIT = 74
# Which of the writes, or of the syncs, of the database's log; twelve segments share some of the syncs.
COMMIT_CALLS = {place: range(1, 26 if "write" in place else 9) if CRASHES > 3 else (1, 4) for place in disk.DyingDisk.PLACES}
CROWD = int(os.environ.get("MILLRACE_CROWD", "6"))  # transcoders that join again at once
BACK_WITHIN_S = 3 if CRASHES > 3 else 10  # after a start until segments are dispatched; CI machines are slow

try:
    disk.own_mounts()
    NO_MOUNTS = None
except OSError as problem:
    NO_MOUNTS = f"this machine allows no mounts of our own: {problem}"


def ledger(orchestrator):
    """Everything booked: {(session, run, seq): (pixels, frames)}. Fails when something stands there twice."""
    with sqlite3.connect(orchestrator.data_dir / "millrace.db", timeout=5) as database:
        rows = database.execute("SELECT session, run, seq, encoded_pixels, encoded_frames FROM segments").fetchall()
    booked = {tuple(row[:3]): tuple(row[3:]) for row in rows}
    assert len(booked) == len(rows), rows
    return booked


class Storage(ClusterCase):
    @classmethod
    def set_up_cluster(cls, cluster):
        """Each test breaks an orchestrator of its own."""

    def start(self, environment=None, data_dir=None, flags=()):
        cluster = self.new_cluster()
        orchestrator = cluster.orchestrator(*flags, environment=environment, start=False)
        if data_dir is not None:
            orchestrator.data_dir = data_dir
        orchestrator.start()
        return cluster, orchestrator, cluster.transcoder(orchestrator, slots=3)

    def pushed(self, orchestrator, stream, seqs):
        """Pushes until something is not answered with 200: the numbers answered, and the other answer."""
        answered = []
        for seq in seqs:
            answer = orchestrator.push(stream, f"{seq}.ts", self.clips[seq % len(self.clips)])
            if answer.status != 200:
                return answered, answer
            answered.append(seq)
        return answered, None

    @unittest.skipIf(NO_MOUNTS, NO_MOUNTS)
    def test_a_full_disk_is_said_at_once_and_forgotten_when_there_is_room(self):
        cluster = self.new_cluster()
        small = disk.SmallDisk(cluster.directory / "disk", "8m")
        self.addCleanup(small.close)
        orchestrator = cluster.orchestrator(start=False)
        orchestrator.data_dir = small.path / "data"
        orchestrator.start()
        cluster.transcoder(orchestrator, slots=2)
        opened = self.session(orchestrator, TINY)
        answered, refusal = self.pushed(orchestrator, opened["stream"], range(3))
        self.assertIsNone(refusal)
        small.fill()
        more, refusal = self.pushed(orchestrator, opened["stream"], range(3, 10))
        answered += more
        self.assertIsNotNone(refusal, "a full disk was not noticed")
        self.assert_status(refusal, 503, "StorageUnavailable")
        again = orchestrator.push(opened["stream"], "11.ts", self.clips[11])
        self.assert_status(again, 503, "StorageUnavailable")
        self.assert_retry_after(again)
        self.assertFalse(orchestrator.ready())
        self.assertEqual(sorted(seq for _, _, seq in ledger(orchestrator)), answered)
        small.make_room()
        since = time.monotonic()
        last = eventually(lambda: self.pushed(orchestrator, opened["stream"], [12])[0], 20, "room is used again")
        print(f"{time.monotonic() - since:.1f} s from room on the disk to the next answer")
        self.assertEqual(sorted(seq for _, _, seq in ledger(orchestrator)), answered + last)

    def test_a_broken_disk_ends_the_orchestrator_and_a_restart_goes_on(self):
        directory = self.new_cluster().directory
        broken = disk.BrokenDisk(directory, binary("orchestrator"))
        cluster, orchestrator, transcoder = self.start(environment=broken.environment)
        opened = self.session(orchestrator, TINY)
        answered, _ = self.pushed(orchestrator, opened["stream"], range(3))
        broken.break_now()
        lost = orchestrator.push(opened["stream"], "3.ts", self.clips[3])
        self.assert_status(lost, 503, "StorageUnavailable")
        self.assertEqual(orchestrator.process.exit_code(15), STORAGE_EXIT)
        broken.repair()
        orchestrator.start()
        eventually(lambda: orchestrator.transcoder_is(transcoder.name, "ready"), 10, "the transcoder is back")
        self.assertEqual(sorted(seq for _, _, seq in ledger(orchestrator)), answered)
        repeated = orchestrator.push(opened["stream"], "3.ts", self.clips[3], headers={"Authorization": f"Bearer {opened['token']}"})
        self.assert_status(repeated, 200)

    def numbers(self, orchestrator, stream, seen):
        """Reads the playlist; no number may ever mean two segments."""
        answer = orchestrator.playlist(f"{stream}/small.m3u8")
        if answer.status != 200:
            return None
        text = answer.body.decode()
        first = int(re.search(r"#EXT-X-MEDIA-SEQUENCE:(\d+)", text).group(1))
        listed = [line for line in text.splitlines() if line and not line.startswith("#")]
        for number, uri in enumerate(listed, first):
            self.assertEqual(seen.setdefault(number, uri), uri, f"number {number} means two segments")
        return text

    def killed_once(self, orchestrator, transcoder, expected, kill):
        """Two sessions push, `kill(look)` ends the orchestrator while looking on, and everything is as it was. Seconds it took."""
        seen = {}
        sessions = [self.session(orchestrator, TINY) for _ in range(2)]
        epoch = orchestrator.status()["epoch"]
        pushing = [Broadcaster(orchestrator, s["stream"], self.clips[:6], token=s["token"], retry=True) for s in sessions]
        kill(lambda: self.numbers(orchestrator, sessions[0]["stream"], seen))
        orchestrator.start()
        started = time.monotonic()
        eventually(lambda: orchestrator.transcoder_is(transcoder.name, "ready"), BACK_WITHIN_S, "it dispatches again")
        took = time.monotonic() - started
        for session, broadcaster in zip(sessions, pushing):
            for seq, answer in enumerate(broadcaster.finished(60)):
                self.assert_status(answer, 200)
                self.assertEqual(list(answer.renditions()), list(expected[seq]), f"segment {seq}")
            self.assertEqual(orchestrator.session(session["stream"])["id"], session["session_id"])
        self.assertEqual(orchestrator.status()["epoch"], epoch + 1)
        self.assertEqual(self.pushed(orchestrator, sessions[0]["stream"], [6]), ([6], None))
        text = self.numbers(orchestrator, sessions[0]["stream"], seen)
        self.assertIsNotNone(text)
        self.assertNotIn("#EXT-X-ENDLIST", text)
        self.assert_booked_once(orchestrator, sessions, expected)
        return took

    def assert_booked_once(self, orchestrator, sessions, expected):
        booked = ledger(orchestrator)
        for session in sessions:
            own = {key[2]: value for key, value in booked.items() if key[0] == session["session_id"]}
            self.assertEqual(sorted(own), list(range(7 if session is sessions[0] else 6)))
            for seq in range(6):
                pixels, frames = own[seq]
                probe = media.Probe(expected[seq]["small"])
                self.assertEqual((pixels, frames), (probe.frames * SIZES["small"][0] * SIZES["small"][1], probe.frames))

    def undisturbed(self, orchestrator):
        reference = self.session(orchestrator, TINY)
        return [a.renditions() for a in Broadcaster(orchestrator, reference["stream"], self.clips[:6]).finished(60)]

    def test_killed_at_any_instant_it_comes_back_where_it_was(self):
        _, orchestrator, transcoder = self.start()
        expected = self.undisturbed(orchestrator)
        chance = random.Random(16)
        longest = 0
        for round_ in range(CRASHES):
            def kill(look):
                until = time.monotonic() + chance.uniform(0.05, 1.5)

                def the_instant():
                    look()
                    return time.monotonic() >= until

                eventually(the_instant, 10, "the instant to kill it at")
                orchestrator.kill()

            with self.subTest(round=round_):
                longest = max(longest, self.killed_once(orchestrator, transcoder, expected, kill))
        print(f"{CRASHES} kills: back and dispatching at most {longest:.1f} s after the start")

    def test_a_session_that_was_told_outlives_a_kill_inside_its_commit(self):
        dying = disk.DyingDisk(self.new_cluster().directory, binary("orchestrator"))
        orchestrator = self.new_cluster().orchestrator(environment=dying.environment)
        for place in disk.DyingDisk.PLACES:
            with self.subTest(place=place):
                stream = f"told-{place}"
                dying.die_in(place, 1)
                with self.assertRaises(OSError, msg="it was told before it was written"):
                    orchestrator.open_session(stream, TINY)
                self.assertEqual(orchestrator.process.exit_code(30), -signal.SIGKILL)
                dying.live()
                orchestrator.start()
                again = orchestrator.open_session(stream, TINY)
                # What was written although nobody was told is there, too. (Not synchronised means lost only with the machine.)
                written = place in ("before-sync", "after-sync")
                self.assert_status(again, 409 if written else 201, "Conflict" if written else None)
                orchestrator.kill()
                orchestrator.start()
                self.assertEqual(orchestrator.session(stream)["id"], again.json()["session_id"])

    def test_an_ended_session_stays_ended(self):
        dying = disk.DyingDisk(self.new_cluster().directory, binary("orchestrator"))
        orchestrator = self.new_cluster().orchestrator(environment=dying.environment)
        opened = self.session(orchestrator, TINY)
        dying.die_in("before-write", 1)
        with self.assertRaises(OSError, msg="its end was told before it was written"):
            orchestrator.end_session(opened["session_id"])
        self.assertEqual(orchestrator.process.exit_code(30), -signal.SIGKILL)
        dying.live()
        orchestrator.start()
        self.assert_status(orchestrator.end_session(opened["session_id"]), 204)
        orchestrator.kill()
        orchestrator.start()
        self.assertIsNone(orchestrator.session(opened["stream"]))

    def test_killed_inside_a_commit_it_comes_back_where_it_was(self):
        dying = disk.DyingDisk(self.new_cluster().directory, binary("orchestrator"))
        _, orchestrator, transcoder = self.start(environment=dying.environment)
        expected = self.undisturbed(orchestrator)
        longest = 0
        for place in disk.DyingDisk.PLACES:
            for nth in COMMIT_CALLS[place]:
                def kill(_, place=place, nth=nth):
                    dying.die_in(place, nth)
                    self.assertEqual(orchestrator.process.exit_code(30), -signal.SIGKILL, "it was not killed in a commit")
                    dying.live()

                with self.subTest(place=place, nth=nth):
                    longest = max(longest, self.killed_once(orchestrator, transcoder, expected, kill))
        print(f"{sum(map(len, COMMIT_CALLS.values()))} kills in a commit: dispatching at most {longest:.1f} s after the start")

    def test_a_crowd_of_transcoders_is_back_after_a_kill(self):
        cluster = self.new_cluster()
        orchestrator = cluster.orchestrator()
        token = orchestrator.join_token()
        names = {cluster.transcoder(orchestrator, slots=1, tokens=[token]).name for _ in range(CROWD)}
        opened = self.session(orchestrator, TINY)
        self.assertEqual(self.pushed(orchestrator, opened["stream"], range(2)), ([0, 1], None))

        def ready():
            return {t["name"] for t in orchestrator.status()["transcoders"] if t["state"] == "ready"}

        orchestrator.kill()
        orchestrator.start()
        since = time.monotonic()
        headers = {"Authorization": f"Bearer {opened['token']}"}
        eventually(lambda: orchestrator.push(opened["stream"], "2.ts", self.clips[2], headers=headers).status == 200,
                   BACK_WITHIN_S, "a segment is answered")
        answered = time.monotonic() - since
        eventually(lambda: ready() == names, 30, "everybody is back")
        print(f"{CROWD} transcoders: a segment answered {answered:.1f} s after the start, all back after {time.monotonic() - since:.1f} s")

    def test_numbers_go_on_after_a_kill_with_a_discontinuity(self):
        _, orchestrator, transcoder = self.start()
        opened = self.session(orchestrator, TINY)
        seen = {}
        self.pushed(orchestrator, opened["stream"], range(4))
        self.numbers(orchestrator, opened["stream"], seen)
        orchestrator.kill()
        orchestrator.start()
        eventually(lambda: orchestrator.transcoder_is(transcoder.name, "ready"), 10, "the transcoder is back")
        self.assertEqual(self.pushed(orchestrator, opened["stream"], range(4, 6)), ([4, 5], None))
        text = self.numbers(orchestrator, opened["stream"], seen)
        self.assertIn("#EXT-X-MEDIA-SEQUENCE:4\n", text)
        self.assertEqual(text.count("#EXT-X-DISCONTINUITY\n"), 1, text)
        self.assertLess(text.index("#EXT-X-DISCONTINUITY\n"), text.index("#EXTINF"))
        # What was listed before the kill is not listed again.
        self.assertEqual(self.pushed(orchestrator, opened["stream"], [3]), ([3], None))
        self.assertEqual(self.numbers(orchestrator, opened["stream"], seen), text)

    def test_a_backup_starts_on_another_directory_as_if_it_had_moved(self):
        cluster, orchestrator, transcoder = self.start()
        opened = self.session(orchestrator, TINY)
        self.pushed(orchestrator, opened["stream"], range(3))
        copy = cluster.directory / "copy.db"
        done = run_to_end([binary("orchestrator"), "backup", copy, "--data-dir", orchestrator.data_dir])
        self.assertEqual((done.returncode, done.stderr), (0, ""), done)
        self.assertEqual(copy.stat().st_mode & 0o777, 0o600)
        again = run_to_end([binary("orchestrator"), "backup", copy, "--data-dir", orchestrator.data_dir])
        self.assertEqual(again.returncode, 65, again)
        self.assertIn("copy.db", again.stderr)
        booked = ledger(orchestrator)
        orchestrator.kill()
        # As deploy/README.md describes it.
        orchestrator.data_dir = cluster.directory / "other-host"
        orchestrator.data_dir.mkdir(mode=0o700)
        shutil.copy(copy, orchestrator.data_dir / "millrace.db")
        (orchestrator.data_dir / "millrace.db").chmod(0o600)
        orchestrator.start()
        eventually(lambda: orchestrator.transcoder_is(transcoder.name, "ready"), 10, "the transcoder is back without a new token")
        self.assertEqual(ledger(orchestrator), booked)
        answer = orchestrator.push(opened["stream"], "3.ts", self.clips[3], headers={"Authorization": f"Bearer {opened['token']}"})
        self.assert_status(answer, 200)
        self.assertEqual(answer.json()["session_id"], opened["session_id"])
        self.assertEqual(len(ledger(orchestrator)), len(booked) + 1)
