"""How much a machine carries: `transcoder bench`, `--max-sessions auto`, and an orchestrator that believes it."""

import json
import pathlib
import subprocess

from support import media
from support.case import TINY, ClusterCase
from support.cluster import binary
from support.processes import run_to_end
from support.wait import eventually

OK, USAGE, BAD_INPUT, CONFIG = 0, 64, 65, 78
FACTS = ("cpu", "cores", "driver", "gpus", "version", "ffmpeg", "sanitized")


def bench(*arguments, within=120):
    return run_to_end([binary("transcoder"), "bench", *arguments], within)


class Bench(ClusterCase):
    @classmethod
    def set_up_cluster(cls, cluster):
        directory = pathlib.Path(cluster.directory)
        cls.ladder = directory / "tiny.json"
        cls.ladder.write_text(json.dumps(TINY))
        # Little, but not so little that hundreds of sessions fit.
        cls.size, cls.rate = (640, 360), 30
        cls.clip = directory / "clip.ts"
        media.ffmpeg("-f", "lavfi", "-i", f"testsrc2=size={cls.size[0]}x{cls.size[1]}:rate={cls.rate}", "-t", "1", "-c:v", "libx264",
                     "-preset", "veryfast", "-pix_fmt", "yuv420p", "-f", "mpegts", cls.clip)

    def assert_says(self, done, code, *words):
        self.assertEqual(done.returncode, code, done)
        for word in words:
            self.assertIn(word, done.stderr + done.stdout)

    def test_what_cannot_be_measured_with_is_named(self):
        self.assert_says(bench("--ladder", self.ladder, "--input", "/nonexistent.ts"), BAD_INPUT, "/nonexistent.ts")
        garbage = pathlib.Path(self.cluster.directory) / "garbage.ts"
        garbage.write_bytes(b"no video" * 1000)
        self.assert_says(bench("--ladder", self.ladder, "--input", garbage), BAD_INPUT)
        self.assert_says(bench("--ladder", self.ladder, "--input", self.clip, "--body-max", "1KiB"), BAD_INPUT, "cut it first", str(self.clip))
        self.assert_says(bench("--ladder", "P9999p"), CONFIG, "--ladder")
        self.assert_says(bench("--colour", "red"), USAGE)

    def test_it_finds_a_number_and_says_what_is_in_the_way(self):
        done = bench("--json", "--ladder", self.ladder, "--input", self.clip, within=240)
        self.assert_says(done, OK)
        found = json.loads(done.stdout)
        self.assertGreaterEqual(found["sessions"], 1)
        self.assertIn(found["bound"], ("cpu", "one_thread", "memory", "limit"))
        held = [step for step in found["steps"] if step["sessions"] == found["sessions"]][-1]
        self.assertTrue(held["holds"])
        self.assertEqual(len(held["by_session"]), found["sessions"])
        self.assertFalse(any(step["holds"] for step in found["steps"] if step["sessions"] > found["sessions"]))
        # What such a session takes at the prices it tells, and 2 % for each.
        price = {kind: found["capacity"][f"{kind}_ps_per_pixel"] for kind in ("decode", "scale", "encode")}
        source = self.size[0] * self.size[1] * self.rate
        each = source * price["decode"] + source * price["scale"] + 160 * 90 * self.rate * price["encode"]
        self.assertAlmostEqual(found["capacity"]["cpu_ps_per_second"] / (each * found["sessions"]), 1.02, delta=0.05)
        # Steps were shown while it went on.
        self.assertIn("p95", done.stderr)

    def test_a_signal_ends_it(self):
        running = subprocess.Popen([binary("transcoder"), "bench", "--ladder", self.ladder, "--input", self.clip], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        try:
            self.assertIn("alone", running.stdout.readline())
            running.terminate()
            _, said = running.communicate(timeout=30)
            self.assertEqual((running.returncode, said), (130, "transcoder: bench: stopped\n"))
        finally:
            running.kill()

    def measured(self):
        """What a transcoder kept that measured this machine."""
        cluster = self.new_cluster()
        orchestrator = cluster.orchestrator()
        fresh = cluster.transcoder(orchestrator, slots="auto", start=False).launch()
        eventually(lambda: orchestrator.transcoder_is(fresh.name, "ready"), 240, "it has measured and joined")
        if "not measured: half of the cores" in fresh.log.read_text():
            # Sanitized, or beside others: too slow for a single session of the default ladder.
            self.skipTest("this machine carries no session of the default ladder now: what auto measures was not tested")
        kept = json.loads((fresh.data_dir / "bench.json").read_text())
        self.assertEqual(orchestrator.transcoder(fresh.name)["capacity"], kept["sessions"])
        return kept

    def test_auto_measures_once_for_a_machine_and_what_it_found_binds(self):
        kept = self.measured()
        self.assertEqual(set(kept["machine"]), set(FACTS))
        # Prices far above what a pixel takes anywhere: the pictures count as cheap, and slowly so.
        orchestrator, known = self.priced(kept, 200_000, 70_000, 900_000)
        self.assertIn("as measured before", known.log.read_text())
        self.assertEqual(orchestrator.transcoder(known.name)["capacity"], 5)
        opened = [self.session(orchestrator, TINY) for _ in range(3)]
        for session in opened[:2]:
            for seq in range(2):
                self.assert_status(orchestrator.push(session["stream"], f"{seq}.ts", self.clips[seq]), 200)
        refused = orchestrator.push(opened[2]["stream"], "0.ts", self.clips[0])
        self.assert_status(refused, 503, "OrchestratorCapped")
        self.assertIn("transcoders", refused.json()["detail"])
        self.assertEqual(orchestrator.transcoder(known.name)["load"], 2)
        self.assertLess(orchestrator.session(opened[0]["stream"])["effort"], 1)

    def test_a_session_whose_pictures_are_dear_leaves_no_room_for_another(self):
        orchestrator, known = self.priced(self.measured(), 20, 7, 90)  # no machine is that cheap
        dear, other = self.session(orchestrator, TINY), self.session(orchestrator, TINY)
        for seq in range(3):
            self.assert_status(orchestrator.push(dear["stream"], f"{seq}.ts", self.clips[seq]), 200)
        self.assertGreater(orchestrator.session(dear["stream"])["effort"], 4)
        self.assert_status(orchestrator.push(other["stream"], "0.ts", self.clips[0]), 503, "OrchestratorCapped")
        orchestrator.command("session", "end", dear["session_id"])
        self.assert_status(orchestrator.push(other["stream"], "0.ts", self.clips[0]), 200)
        self.assertEqual(orchestrator.transcoder(known.name)["load"], 1)

    def priced(self, kept, decode, scale, encode):
        """An orchestrator, and a transcoder that remembers these prices: 5 slots, and CPU for two sessions of the test clips and no third."""
        cluster = self.new_cluster()
        orchestrator = cluster.orchestrator()
        known = cluster.transcoder(orchestrator, slots="auto", start=False)
        known.data_dir.mkdir(mode=0o700)
        source = media.Probe(self.clips[0])
        each = int(source.frames * (source.width * source.height * (decode + scale) + 160 * 90 * encode))  # a clip lasts a second
        (known.data_dir / "bench.json").write_text(json.dumps(
            {**kept, "sessions": 5, "decode_ps_per_pixel": decode, "scale_ps_per_pixel": scale, "encode_ps_per_pixel": encode,
             "cpu_ps_per_second": int(2.5 * each)}))
        known.start()
        return orchestrator, known
