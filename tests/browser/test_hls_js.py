"""hls.js in a headless Chromium plays what we list. See README.md."""

import http.server
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading
import unittest

from support import media
from support.case import LADDER, ClusterCase
from support.processes import Process
from support.wait import eventually

HLS_JS = os.environ.get("HLS_JS")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

_PAGE = """<!doctype html><video id=v muted autoplay playsinline></video><script src=/hls.js></script><script>
const v = document.getElementById('v'), q = new URLSearchParams(location.search), errors = [], levels = new Set();
const hls = new Hls({liveSyncDurationCount: 2, startPosition: 0});
let ended = false, fatal = false;
const tell = () => fetch('/state', {method: 'POST', body: JSON.stringify({time: v.currentTime, ended, fatal, errors,
  levels: hls.levels.map(l => [l.url[0].split('/').pop(), l.width, l.height, l.videoCodec, l.audioCodec]), played: [...levels],
  frames: v.getVideoPlaybackQuality().totalVideoFrames, width: v.videoWidth})});
hls.on(Hls.Events.ERROR, (_, d) => { errors.push(d.type + ' ' + d.details + (d.response ? ' ' + d.response.code : '') + (d.error ? ' ' + d.error.message : '') + (d.frag ? ' ' + d.frag.relurl : '')); fatal ||= d.fatal; });
hls.on(Hls.Events.FRAG_CHANGED, (_, d) => levels.add(d.frag.level));
hls.on(Hls.Events.MANIFEST_PARSED, () => { if (q.has('level')) hls.currentLevel = +q.get('level'); v.play(); });
v.addEventListener('ended', () => { ended = true; tell(); });
if (q.has('next')) setTimeout(() => { hls.nextLevel = +q.get('next'); }, 4000);
setInterval(tell, 250);
hls.loadSource(q.get('url'));
hls.attachMedia(v);
</script>"""


class _Pages(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        script = self.path == "/hls.js"
        body = pathlib.Path(HLS_JS).read_bytes() if script else _PAGE.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/javascript" if script else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.server.state = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


@unittest.skipUnless(HLS_JS and CHROMIUM, "needs HLS_JS and chromium: see tests/browser/README.md")
class HlsJs(ClusterCase):
    @classmethod
    def set_up_cluster(cls, cluster):
        cls.orchestrator = cluster.orchestrator()
        cluster.transcoder(cls.orchestrator, slots=2)
        cls.pages = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Pages)
        threading.Thread(target=cls.pages.serve_forever, daemon=True).start()

    @classmethod
    def tearDownClass(cls):
        cls.pages.shutdown()
        super().tearDownClass()

    def browser(self, stream, levels):
        self.pages.state = None
        directory = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.addCleanup(directory.cleanup)
        url = f"http://127.0.0.1:{self.pages.server_port}/?{levels}&url={self.orchestrator.url}/stream/{stream}.m3u8"
        process = Process([CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--mute-audio", "--no-first-run",
                           "--autoplay-policy=no-user-gesture-required", f"--user-data-dir={directory.name}", url],
                          pathlib.Path(directory.name) / "chromium.log")
        self.addCleanup(process.destroy)
        return process

    def play(self, ladder, restart_at=None, count=12, levels="level=2&next=0"):
        opened = self.session(self.orchestrator, ladder)
        first = 100
        for n in range(3):
            self.assert_status(self.orchestrator.push(opened["stream"], f"{first + n}.ts", self.clips[n]), 200)
        self.browser(opened["stream"], levels)
        eventually(lambda: self.pages.state and self.pages.state["time"] > 0, 60, "the first picture")
        for n in range(3, count):
            # In step with the player: a switch is to find a live playlist. One that is read for the first time after
            # its ENDLIST begins at 0 for hls.js, wherever its window stands.
            eventually(lambda n=n: self.pages.state["time"] > n - 6, 60, f"the player comes near segment {n}")
            seq = first + n if restart_at is None or n < restart_at else n - restart_at
            self.assert_status(self.orchestrator.push(opened["stream"], f"{seq}.ts", self.clips[n]), 200)
        self.orchestrator.end_session(opened["session_id"])
        eventually(lambda: self.pages.state["ended"] or self.pages.state["fatal"], 90, "the end of the stream")
        state = self.pages.state
        print(json.dumps(state))
        self.assertFalse(state["fatal"], state)
        # "No progress": what a switch fetched was in the buffer already, of the rendition before.
        self.assertEqual([e for e in state["errors"] if " 404" in e or "Parsing" in e or "append" in e.lower() and "NoProgress" not in e],
                         [], state)
        return state

    def test_a_live_stream_plays_to_its_end_over_a_switch_of_renditions(self):
        state = self.play(LADDER)
        self.assertEqual(len(state["levels"]), len(LADDER) + 1, state)
        self.assertGreater(len(state["played"]), 1, state)
        self.assertGreater(state["time"], 11, state)
        self.assertGreater(state["frames"], 0.8 * sum(media.Probe(c).frames for c in self.clips[:12]))

    def test_a_restarted_source_plays_on(self):
        state = self.play(LADDER, restart_at=6)
        self.assertGreater(state["time"], 11, state)

    def test_fragmented_mp4_plays_over_a_switch_of_renditions(self):
        state = self.play([dict(spec, container="mp4") for spec in LADDER], levels="level=1&next=0")
        self.assertEqual(sorted(state["played"]), [0, 1], state)
        self.assertGreater(state["time"], 11, state)
        self.assertGreater(state["frames"], 0.8 * sum(media.Probe(c).frames for c in self.clips[:12]))
