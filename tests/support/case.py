"""The base class of the integration tests: a cluster per class, logs shown on failure, logs judged at the end."""

import itertools
import sys
import unittest

from support import media
from support.cluster import Cluster

# Two small renditions that keep every frame: cheap to make, easy to count.
LADDER = [
    {"name": "mid", "width": 320, "height": 180, "bitrate": 300000, "fps": 0},
    {"name": "small", "width": 160, "height": 90, "bitrate": 100000, "fps": 0},
]
SIZES = {"mid": (320, 180), "small": (160, 90)}
# The same without a bitrate: with one, a rendition goes on where the encoder of the segment before has left off (seams),
# so its bytes depend on that segment having been answered first.
STEADY = [{**{k: v for k, v in spec.items() if k != "bitrate"}, "quality": 30} for spec in LADDER]
# One for tests that are about something else than pictures.
TINY = [{"name": "small", "width": 160, "height": 90, "bitrate": 100000, "fps": 0}]

_numbers = itertools.count(1)


class ClusterCase(unittest.TestCase):
    """`set_up_cluster` (once per class) builds what the tests share. Streams are ended after each test."""

    @classmethod
    def set_up_cluster(cls, cluster):
        raise NotImplementedError

    @classmethod
    def setUpClass(cls):
        cls.clips = media.test_segments()
        cls.cluster = Cluster()
        try:
            cls.set_up_cluster(cls.cluster)
        except BaseException:
            print(cls.cluster.logs(), file=sys.stderr)
            cls.cluster.close()
            raise

    @classmethod
    def tearDownClass(cls):
        found = cls.cluster.close()
        if found:
            raise AssertionError("daemons reported bugs:\n" + "\n".join(found[:20]))

    def run(self, result=None):
        before = len(result.failures) + len(result.errors) if result else 0
        super().run(result)
        if result and len(result.failures) + len(result.errors) > before:
            print(f"==== logs after {self.id()}\n{self.cluster.logs()}", file=sys.stderr)
        return result

    def new_cluster(self):
        """A cluster for this test alone."""
        own = Cluster()

        def close():
            failed = own.close()
            self.assertEqual(failed, [], "daemons reported bugs")

        self.addCleanup(close)
        self.addCleanup(lambda: self._show_if_failed(own))
        return own

    def _show_if_failed(self, cluster):
        outcome = getattr(self, "_outcome", None)
        if outcome is not None and not outcome.success:
            print(f"==== own cluster of {self.id()}\n{cluster.logs()}", file=sys.stderr)

    @classmethod
    def need_shared_clips(cls, cluster):
        """For set_up_cluster: the directory of the shared clips. Without them the class is skipped, loudly."""
        shared = media.shared_media()
        if shared is None:
            cluster.close()
            raise unittest.SkipTest("the shared clips are not beside the repository")
        return shared

    def stream(self):
        """A stream name nobody used."""
        return f"stream-{next(_numbers)}"

    def session(self, orchestrator, ladder=None, stream=None):
        """An open session that ends with the test: {session_id, token, …, stream}."""
        stream = stream or self.stream()
        answer = orchestrator.open_session(stream, ladder or LADDER)
        self.assertEqual(answer.status, 201, answer)
        opened = answer.json()
        opened["stream"] = stream
        self.addCleanup(self._end_quietly, orchestrator, opened["session_id"])
        return opened

    def _end_quietly(self, orchestrator, session_id):
        try:
            orchestrator.end_session(session_id)
        except OSError:
            pass  # the orchestrator was killed by the test

    def assert_status(self, answer, status, code=None):
        self.assertEqual((answer.status, answer.code), (status, code), answer)

    def assert_retry_after(self, answer):
        self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1, answer)
