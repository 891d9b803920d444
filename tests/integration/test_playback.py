"""HLS: what players get, and ffmpeg as broadcaster and as player."""

import concurrent.futures
import pathlib
import re
import subprocess
import tempfile
import threading
from urllib.parse import urljoin

from support import http_client, media
from support.case import LADDER, ClusterCase
from support.wait import eventually


def uris(playlist):
    return [line for line in playlist.splitlines() if line and not line.startswith("#")]


class Playback(ClusterCase):
    @classmethod
    def set_up_cluster(cls, cluster):
        cls.orchestrator = cluster.orchestrator()
        cls.transcoder = cluster.transcoder(cls.orchestrator, slots=3)

    def pushed(self, count, first=0):
        opened = self.session(self.orchestrator, LADDER)
        for seq in range(first, first + count):
            self.assert_status(self.orchestrator.push(opened["stream"], f"{seq}.ts", self.clips[seq]), 200)
        return opened

    def fetch(self, path):
        answer = self.orchestrator.playlist(path)
        self.assert_status(answer, 200)
        return answer, answer.body.decode()

    def test_the_master_playlist_describes_every_rendition_and_the_source(self):
        opened = self.pushed(2)
        answer, text = self.fetch(f"{opened['stream']}.m3u8")
        self.assertEqual(answer.headers["Access-Control-Allow-Origin"], "*")
        self.assertIn("max-age=1", answer.headers["Cache-Control"])
        self.assertIn("mpegurl", answer.headers["Content-Type"].lower())
        variants = re.findall(r"#EXT-X-STREAM-INF:(.*)\n(\S+)", text)
        self.assertEqual(len(variants), len(LADDER) + 1, text)
        for attributes, _ in variants:
            for needed in ("BANDWIDTH=", "CODECS=\"avc1.", "FRAME-RATE=25", "RESOLUTION="):
                self.assertIn(needed, attributes)
        for size in ("RESOLUTION=320x180", "RESOLUTION=160x90"):
            self.assertIn(size, text)
        for _, uri in variants:
            self.assertEqual(http_client.get(urljoin(f"{self.orchestrator.url}/stream/x", uri)).status, 200, uri)

    def test_a_media_playlist_lists_the_last_six_segments_by_number(self):
        opened = self.pushed(8)
        _, text = self.fetch(f"{opened['stream']}/small.m3u8")
        self.assertEqual(len(uris(text)), 6, text)
        self.assertIn("#EXT-X-MEDIA-SEQUENCE:2", text)
        self.assertNotIn("#EXT-X-ENDLIST", text)
        self.assertNotIn("#EXT-X-DISCONTINUITY\n", text)
        durations = [float(d) for d in re.findall(r"#EXTINF:([0-9.]+)", text)]
        target = int(re.search(r"#EXT-X-TARGETDURATION:(\d+)", text).group(1))
        self.assertEqual(len(durations), 6)
        for duration in durations:
            self.assertAlmostEqual(duration, 1.0, delta=0.1)
            self.assertLessEqual(round(duration), target)
        for uri in uris(text):
            segment = http_client.get(urljoin(f"{self.orchestrator.url}/stream/{opened['stream']}/small.m3u8", uri))
            self.assertEqual((segment.status, segment.headers["Access-Control-Allow-Origin"]), (200, "*"))
            self.assertEqual(segment.headers.get_content_type(), "video/mp2t")

    def test_the_source_is_a_rendition_too(self):
        opened = self.pushed(2)
        _, text = self.fetch(f"{opened['stream']}/source.m3u8")
        got = [http_client.get(urljoin(f"{self.orchestrator.url}/stream/{opened['stream']}/source.m3u8", uri)).body for uri in uris(text)]
        self.assertEqual(got, self.clips[:2])

    def test_an_ended_stream_plays_through_with_ffmpeg(self):
        opened = self.pushed(5)
        self.orchestrator.end_session(opened["session_id"])
        eventually(lambda: b"#EXT-X-ENDLIST" in self.orchestrator.playlist(f"{opened['stream']}/small.m3u8").body, 2, "ENDLIST")
        with tempfile.TemporaryDirectory() as directory:
            for path in (".m3u8", "/source.m3u8", "/mid.m3u8", "/small.m3u8"):
                played = pathlib.Path(directory) / "played.ts"
                complaints = media.ffmpeg("-y", "-i", f"{self.orchestrator.url}/stream/{opened['stream']}{path}", "-map", "0:v:0",
                                          "-map", "0:a:0", "-c", "copy", played)
                self.assertEqual(complaints, "", path)
                self.assertEqual(media.Probe(played).frames, self.frames(5), path)

    def frames(self, count):
        return sum(media.Probe(c).frames for c in self.clips[:count])

    def test_ffmpeg_plays_along_while_the_stream_is_live(self):
        opened = self.pushed(1)
        with tempfile.TemporaryDirectory() as directory:
            played = pathlib.Path(directory) / "played.ts"
            player = subprocess.Popen(
                ["ffmpeg", "-hide_banner", "-nostdin", "-v", "error", "-live_start_index", "0", "-i",
                 f"{self.orchestrator.url}/stream/{opened['stream']}/small.m3u8", "-map", "0:v:0", "-c", "copy", played],
                stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
            self.addCleanup(player.kill)
            for seq in range(1, 6):
                self.assert_status(self.orchestrator.push(opened["stream"], f"{seq}.ts", self.clips[seq]), 200)
            self.orchestrator.end_session(opened["session_id"])
            _, complaints = player.communicate(timeout=40)
            self.assertEqual((player.returncode, complaints.decode()), (0, ""))
            self.assertEqual(media.Probe(played).frames, self.frames(6))

    def test_fragmented_mp4_plays_with_one_init_part(self):
        ladder = [{"name": "small", "width": 160, "height": 90, "bitrate": 100000, "fps": 0, "container": "mp4"}]
        opened = self.session(self.orchestrator, ladder)
        for seq in range(4):
            self.assert_status(self.orchestrator.push(opened["stream"], f"{seq}.ts", self.clips[seq]), 200)
        self.orchestrator.end_session(opened["session_id"])
        _, text = self.fetch(f"{opened['stream']}/small.m3u8")
        self.assertEqual(text.count("#EXT-X-MAP:"), 1, text)
        self.assertNotIn("#EXT-X-DISCONTINUITY\n", text)
        init = re.search(r'#EXT-X-MAP:URI="([^"]+)"', text).group(1)
        for uri in (init, *uris(text)):
            part = http_client.get(urljoin(f"{self.orchestrator.url}/stream/{opened['stream']}/small.m3u8", uri))
            self.assertEqual((part.status, part.headers.get_content_type()), (200, "video/mp4"), uri)
        with tempfile.TemporaryDirectory() as directory:
            for path in ("/small.m3u8", "/source.m3u8"):
                played = pathlib.Path(directory) / "played.mp4"
                complaints = media.ffmpeg("-y", "-i", f"{self.orchestrator.url}/stream/{opened['stream']}{path}", "-map", "0:v:0",
                                          "-c", "copy", played)
                self.assertEqual(complaints, "", path)
                self.assertEqual(media.Probe(played).frames, self.frames(4), path)
            # What the JSON answer names plays by itself.
            alone = http_client.get(urljoin(f"{self.orchestrator.url}/stream/{opened['stream']}/small.m3u8",
                                            uris(text)[2].replace(".m4s", ".mp4")))
            self.assertEqual(media.Probe(alone.body).frames, media.Probe(self.clips[2]).frames)

    def test_a_number_seen_in_one_playlist_is_there_in_all(self):
        opened = self.session(self.orchestrator, LADDER)
        stop = threading.Event()
        missing, seen = [], set()

        def watch():
            names = ["source", *(r["name"] for r in LADDER)]
            while not stop.is_set():
                for name in names:
                    answer = self.orchestrator.playlist(f"{opened['stream']}/{name}.m3u8")
                    if answer.status != 200:
                        continue
                    last = uris(answer.body.decode())[-1].rsplit("/", 1)[1]
                    seen.add(last)
                    for other in names:
                        found = self.orchestrator.playlist(f"{opened['stream']}/{other}/{last}")
                        if found.status != 200 or not found.body:
                            missing.append((name, other, last, found))

        with concurrent.futures.ThreadPoolExecutor() as pool:
            watching = [pool.submit(watch) for _ in range(2)]
            try:
                for seq in range(8):
                    self.assert_status(self.orchestrator.push(opened["stream"], f"{seq}.ts", self.clips[seq]), 200)
            finally:
                stop.set()
            for one in watching:
                one.result()
        self.assertEqual(missing, [])
        self.assertGreater(len(seen), 3)

    def test_two_uploads_at_a_time_are_listed_in_order(self):
        """As MistServer pushes: the next segment starts before the one before is answered."""
        opened = self.session(self.orchestrator, LADDER)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            def push(seq):
                return self.orchestrator.push(opened["stream"], f"{seq}.ts", self.clips[seq], multipart=True)
            answers = list(pool.map(push, range(6)))
        for answer in answers:
            self.assert_status(answer, 200)
        _, text = self.fetch(f"{opened['stream']}/small.m3u8")
        self.assertEqual([re.search(r"_(\d+)\.ts", uri).group(1) for uri in uris(text)], [str(n) for n in range(6)])
        self.assertNotIn("#EXT-X-DISCONTINUITY\n", text)

    def test_a_restarted_source_is_marked_as_a_discontinuity(self):
        opened = self.pushed(2, first=20)
        self.assert_status(self.orchestrator.push(opened["stream"], "0.ts", self.clips[0]), 200)
        _, text = self.fetch(f"{opened['stream']}/small.m3u8")
        self.assertEqual(len(uris(text)), 3, text)
        self.assertEqual(text.count("#EXT-X-DISCONTINUITY\n"), 1, text)
        self.assertLess(text.index("#EXT-X-DISCONTINUITY\n"), text.index(uris(text)[2]))

    def test_ffmpeg_pushes_hls_with_put(self):
        """Chunked bodies, playlists beside the segments, connections closed without waiting for the answer."""
        stream = self.stream()
        with tempfile.TemporaryDirectory() as directory:
            clip = pathlib.Path(directory) / "clip.ts"
            clip.write_bytes(b"".join(self.clips[:6]))
            base = f"{self.orchestrator.url}/live/{stream}"
            media.push_with_ffmpeg(clip, base, "%d.ts", "-hls_time", "2")
        found = eventually(lambda: self.orchestrator.session(stream), 5, "a session")
        self.addCleanup(self.orchestrator.end_session, found["id"])
        eventually(lambda: self.orchestrator.session(stream)["segments_ok"] == 3, 20, "three segments are answered")
        _, text = self.fetch(f"{stream}/source.m3u8")
        self.assertEqual(len(uris(text)), 3, text)
        self.assertNotIn("#EXT-X-DISCONTINUITY\n", text)
        self.assertEqual(self.orchestrator.session(stream)["segments_failed"], 0)
        self.orchestrator.end_session(found["id"])
        with tempfile.TemporaryDirectory() as directory:
            played = pathlib.Path(directory) / "played.ts"
            media.ffmpeg("-y", "-i", f"{self.orchestrator.url}/stream/{stream}/source.m3u8", "-map", "0:v:0", "-c", "copy", played)
            self.assertEqual(media.Probe(played).frames, self.frames(6))
