"""More than one of each: two orchestrators on a host, a transcoder shared by both, local transcoders."""

import signal

from support.case import TINY, ClusterCase
from support.processes import alive, children
from support.wait import eventually


class Topology(ClusterCase):
    @classmethod
    def set_up_cluster(cls, cluster):
        """Each test builds its own."""

    def push(self, orchestrator, opened, seq):
        return orchestrator.push(opened["stream"], f"{seq}.ts", self.clips[seq])

    def test_two_orchestrators_and_their_transcoders_live_on_one_host(self):
        cluster = self.new_cluster()
        pairs = []
        for _ in range(2):
            orchestrator = cluster.orchestrator()
            pairs.append((orchestrator, [cluster.transcoder(orchestrator, slots=1), cluster.transcoder(orchestrator, slots=1)]))
        for orchestrator, transcoders in pairs:
            self.assertEqual({t["name"] for t in orchestrator.status()["transcoders"]}, {t.name for t in transcoders})
            self.assert_status(self.push(orchestrator, self.session(orchestrator, TINY), 0), 200)

    def test_two_sessions_go_to_two_transcoders(self):
        cluster = self.new_cluster()
        orchestrator = cluster.orchestrator()
        for _ in range(2):
            cluster.transcoder(orchestrator, slots=2)
        opened = [self.session(orchestrator, TINY) for _ in range(2)]
        for session in opened:
            self.assert_status(self.push(orchestrator, session, 0), 200)
        placed = {orchestrator.session(s["stream"])["transcoder"] for s in opened}
        self.assertEqual(len(placed), 2, "the second session goes where the headroom is")
        for seq in range(1, 4):
            for session in opened:
                self.assert_status(self.push(orchestrator, session, seq), 200)
        self.assertEqual({orchestrator.session(s["stream"])["transcoder"] for s in opened}, placed, "sessions stay where they are")

    def test_one_transcoder_serves_two_orchestrators_with_one_set_of_slots(self):
        cluster = self.new_cluster()
        first, second = cluster.orchestrator(), cluster.orchestrator()
        cluster.transcoder(first, second, name="shared", slots=1)
        mine = self.session(first, TINY)
        self.assert_status(self.push(first, mine, 0), 200)
        refused = self.push(second, self.session(second, TINY), 0)
        self.assertEqual(refused.status, 503, refused)
        self.assertIn(refused.code, ("OrchestratorCapped", "NoTranscoders"))
        self.assertIn(first.end_session(mine["session_id"]).status, (200, 204))
        theirs = self.session(second, TINY)
        eventually(lambda: self.push(second, theirs, 0).status == 200, 5, "the slot is free for the other", poll=0.2)

    def test_a_shared_transcoder_outlives_one_of_its_orchestrators(self):
        cluster = self.new_cluster()
        first, second = cluster.orchestrator(), cluster.orchestrator()
        cluster.transcoder(first, second, name="shared", slots=2)
        first.kill()
        session = self.session(second, TINY)
        for seq in range(2):
            self.assert_status(self.push(second, session, seq), 200)
        first.start()
        eventually(lambda: first.transcoder_is("shared", "ready"), 5, "back at the first")

    def test_a_local_transcoder_is_enough(self):
        cluster = self.new_cluster()
        orchestrator = cluster.orchestrator("--local-transcoder", "1")
        eventually(orchestrator.ready, 20, "the local transcoder is ready")
        (local,) = orchestrator.status()["transcoders"]
        self.assertEqual(local["capacity"], 1)
        self.assert_status(self.push(orchestrator, self.session(orchestrator, TINY), 0), 200)
        self.assertTrue((orchestrator.data_dir / "local").is_dir())
        self.assertEqual(orchestrator.terminate(), 0)

    def test_a_local_transcoder_works_beside_remote_ones(self):
        cluster = self.new_cluster()
        orchestrator = cluster.orchestrator("--local-transcoder", "1")
        remote = cluster.transcoder(orchestrator, slots=1)
        eventually(lambda: len([t for t in orchestrator.status()["transcoders"] if t["state"] == "ready"]) == 2, 20, "both ready")
        opened = [self.session(orchestrator, TINY) for _ in range(2)]
        for session in opened:
            self.assert_status(self.push(orchestrator, session, 0), 200)
        placed = [orchestrator.session(s["stream"])["transcoder"] for s in opened]
        self.assertEqual(len(set(placed)), 2, placed)
        self.assertIn(remote.name, placed)
        self.assertEqual(orchestrator.status()["capacity"]["limits"]["transcoders"], 2)

    def test_a_local_transcoder_ends_when_its_orchestrator_is_killed(self):
        cluster = self.new_cluster()
        orchestrator = cluster.orchestrator("--local-transcoder", "1")
        eventually(orchestrator.ready, 20, "the local transcoder is ready")
        started = children(orchestrator.process.pid)
        self.assertTrue(started)
        orchestrator.kill()
        eventually(lambda: not any(alive(pid) for pid in started), 5, "the local transcoder ends")

    def test_engines_end_when_their_transcoder_is_killed(self):
        cluster = self.new_cluster()
        orchestrator = cluster.orchestrator()
        transcoder = cluster.transcoder(orchestrator, slots=2)
        self.assert_status(self.push(orchestrator, self.session(orchestrator, TINY), 0), 200)
        engines = children(transcoder.process.pid)
        self.assertTrue(engines, "an engine process per slot")
        transcoder.process.signal(signal.SIGKILL)
        eventually(lambda: not any(alive(pid) for pid in engines), 5, "engines end")
