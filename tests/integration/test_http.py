"""How the service speaks HTTP, over plain TCP and over TLS: the same tests run against both."""

import concurrent.futures
import http.client
import os
import pathlib
import re
import socket
import ssl
import subprocess
import time
import warnings
from urllib.parse import urljoin, urlsplit

from support import http_client, media
from support.case import TINY, ClusterCase
from support.certificates import Certificate
from support.cluster import binary
from support.processes import run_to_end
from support.wait import eventually


class Semantics:
    """What a client may rely on; mixed into a case that has a cluster."""

    def head(self, path, length=None, more="", method="PUT"):
        framing = "" if length is None else f"Content-Length: {length}\r\n"
        return f"{method} {path} HTTP/1.1\r\nHost: test\r\n{framing}{more}\r\n".encode()

    def test_100_continue_is_said_when_the_body_is_wanted_and_only_then(self):
        opened = self.session(self.orchestrator, TINY)
        body = self.clips[0]
        expect = "Expect: 100-continue\r\nConnection: close\r\n"
        with http_client.connect(self.orchestrator.url) as wanted:
            wanted.sendall(self.head(f"/live/{opened['stream']}/0.ts", len(body), expect))
            self.assertEqual(wanted.recv(25), b"HTTP/1.1 100 Continue\r\n\r\n")
            wanted.sendall(body)
            self.assert_status(http_client.read_answer(wanted), 200)
        with http_client.connect(self.orchestrator.url) as unwanted:
            unwanted.sendall(self.head("/live/x/0.avi", len(body), expect))
            self.assertTrue(unwanted.recv(65536).startswith(b"HTTP/1.1 415 "))

    def test_plain_and_chunked_bodies_follow_each_other_on_one_connection(self):
        opened = self.session(self.orchestrator, TINY)
        with http_client.connect(self.orchestrator.url) as connection:
            for seq in range(3):
                body, path = self.clips[seq], f"/live/{opened['stream']}/{seq}.ts"
                if seq % 2:
                    pieces = [body[at:at + 9000] for at in range(0, len(body), 9000)]
                    framed = b"".join(b"%x;name=value\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
                    connection.sendall(self.head(path, None, "Transfer-Encoding: chunked\r\n") + framed + b"0\r\nTrailer: x\r\n\r\n")
                else:
                    connection.sendall(self.head(path, len(body)) + body)
                answer = http_client.read_answer(connection)
                self.assert_status(answer, 200)
                self.assertEqual(answer.json()["seq"], seq)

    def test_an_early_refusal_comes_before_the_body_and_survives_a_client_that_goes_on_sending(self):
        with http_client.connect(self.orchestrator.url) as connection:
            connection.sendall(self.head("/live/x/7.avi", 900_000))
            answer = http_client.read_answer(connection)
            self.assert_status(answer, 415, "UnsupportedMediaType")
            self.assertEqual(answer.headers["Connection"], "close")
            self.assertEqual(connection.recv(1), b"", "half-closed after the answer")
            try:
                connection.sendall(bytes(900_000))  # within the 1 MiB that is discarded: no reset may take the answer away
            except ssl.SSLError:
                pass  # after close_notify Python's TLS may refuse to write

    def test_after_an_early_refusal_at_most_a_mebibyte_is_swallowed(self):
        with http_client.connect(self.orchestrator.url) as connection:
            connection.sendall(self.head("/live/x/7.avi", 500_000_000))
            answer = http_client.read_answer(connection)
            self.assert_status(answer, 415, "UnsupportedMediaType")
            with self.assertRaises(OSError):
                for _ in range(4000):  # 250 MB: far beyond what lies in kernel buffers
                    connection.sendall(bytes(65536))

    def test_what_the_head_decides_is_answered_at_once(self):
        """The contract's 50 ms are measured by the report in the README; a busy machine only has to be quick."""
        seconds = []
        for _ in range(20):
            with http_client.connect(self.orchestrator.url) as connection:
                connection.sendall(self.head("/live/x/7.avi", 1_000_000))
                begun = time.monotonic()
                self.assertTrue(connection.recv(65536).startswith(b"HTTP/1.1 415 "))
                seconds.append(time.monotonic() - begun)
        if os.environ.get("MILLRACE_REPORT"):
            print(f"\nearly refusal: median {sorted(seconds)[10] * 1000:.1f} ms, worst {max(seconds) * 1000:.1f} ms")
        self.assertLess(sorted(seconds)[10], 1.0)

    def test_head_answers_like_get_without_the_body(self):
        for path in ("/healthz", "/stream/nobody.m3u8"):
            got = http_client.get(self.orchestrator.url + path)
            head = http_client.request("HEAD", self.orchestrator.url + path)
            self.assertEqual((head.status, head.headers["Content-Length"], head.body),
                             (got.status, got.headers["Content-Length"], b""))

    def test_browsers_may_ask_before_they_play(self):
        preflight = {"Origin": "https://player.example", "Access-Control-Request-Method": "GET",
                     "Access-Control-Request-Headers": "range"}
        for path in ("/stream/x.m3u8", "/stream/x/small.m3u8", "/stream/x/small/0.ts"):
            answer = http_client.request("OPTIONS", self.orchestrator.url + path, headers=preflight)
            self.assertEqual((answer.status, answer.headers["Access-Control-Allow-Origin"]), (204, "*"))
            self.assertIn("GET", answer.headers["Access-Control-Allow-Methods"])
            self.assertEqual(answer.headers["Access-Control-Allow-Headers"], "*")

    def test_players_may_ask_for_a_part_of_a_segment(self):
        opened = self.session(self.orchestrator, TINY)
        told = self.orchestrator.push(opened["stream"], "0.ts", self.clips[0])
        self.assert_status(told, 200)
        url = told.json()["renditions"][0]["url"]
        whole = http_client.get(url)
        self.assertEqual((whole.status, whole.headers["Accept-Ranges"]), (200, "bytes"))
        size = len(whole.body)
        self.assertGreater(size, 1000)
        for field, start, end in (("bytes=0-187", 0, 188), ("bytes=188-", 188, size), ("bytes=-376", size - 376, size),
                                  (f"bytes=1000-{size * 2}", 1000, size)):
            with self.subTest(field=field):
                part = http_client.get(url, headers={"Range": field})
                self.assertEqual((part.status, part.headers["Content-Range"]), (206, f"bytes {start}-{end - 1}/{size}"))
                self.assertEqual(part.body, whole.body[start:end])
                self.assertEqual(part.headers["Access-Control-Allow-Origin"], "*")
        outside = http_client.get(url, headers={"Range": f"bytes={size}-"})
        self.assert_status(outside, 416, "RangeNotSatisfiable")
        self.assertEqual(outside.headers["Content-Range"], f"bytes */{size}")
        for ignored in ("bytes=5-2", "bytes=0-1,5-6", "lines=1-2"):
            self.assertEqual(http_client.get(url, headers={"Range": ignored}).status, 200, ignored)

    def test_two_connections_push_one_stream_out_of_order(self):
        """As MistServer does: two uploads at a time, and the later segment may be there first."""
        opened = self.session(self.orchestrator, TINY)
        self.assert_status(self.orchestrator.push(opened["stream"], "0.ts", self.clips[0]), 200)
        first, second = self.clips[1], self.clips[2]
        with http_client.connect(self.orchestrator.url) as slow, http_client.connect(self.orchestrator.url) as fast:
            slow.sendall(self.head(f"/live/{opened['stream']}/1.ts", len(first)) + first[:5000])
            eventually(lambda: self.orchestrator.session(opened["stream"])["in_flight"] == 1, 10, "the first upload is known")
            fast.sendall(self.head(f"/live/{opened['stream']}/2.ts", len(second)) + second)
            answer = http_client.read_answer(fast)
            self.assertEqual((answer.status, answer.json()["seq"]), (200, 2))
            slow.sendall(first[5000:])
            answer = http_client.read_answer(slow)
            self.assertEqual((answer.status, answer.json()["seq"], answer.json()["run"]), (200, 1, 0))
        self.assertEqual(eventually(lambda: self.listed(opened["stream"], 3), 10, "all are listed"), [0, 1, 2])
        self.assertNotIn("#EXT-X-DISCONTINUITY\n", self.orchestrator.playlist(f"{opened['stream']}/small.m3u8").body.decode())

    def listed(self, stream, count):
        found = re.findall(r"_(\d+)\.ts", self.orchestrator.playlist(f"{stream}/small.m3u8").body.decode())
        return [int(n) for n in found] if len(found) == count else None

    def test_a_client_that_does_not_wait_for_its_answer_is_served_all_the_same(self):
        """As ffmpeg does: the whole body, then closed."""
        opened = self.session(self.orchestrator, TINY)
        for seq in range(2):
            with http_client.connect(self.orchestrator.url) as connection:
                framed = b"%x\r\n%s\r\n0\r\n\r\n" % (len(self.clips[seq]), self.clips[seq])
                connection.sendall(self.head(f"/live/{opened['stream']}/{seq}.ts", None, "Transfer-Encoding: chunked\r\n") + framed)
        eventually(lambda: self.orchestrator.session(opened["stream"])["segments_ok"] == 2, 20, "both are answered")
        self.assertEqual(self.orchestrator.session(opened["stream"])["segments_failed"], 0)

    def test_playlists_beside_the_segments_are_swallowed_and_deletions_accepted(self):
        with http_client.connect(self.orchestrator.url) as connection:
            text = b"#EXTM3U\n" * 1000
            connection.sendall(self.head("/live/x/index.m3u8", len(text)) + text)
            self.assert_status(http_client.read_answer(connection), 200)
            connection.sendall(self.head("/live/x/3.ts", None, "", "DELETE"))
            self.assert_status(http_client.read_answer(connection), 200)


class Plain(Semantics, ClusterCase):
    @classmethod
    def set_up_cluster(cls, cluster):
        cls.orchestrator = cluster.orchestrator()
        cls.transcoder = cluster.transcoder(cls.orchestrator, slots=3)

    def test_http_2_without_tls_is_refused_in_words(self):
        with http_client.connect(self.orchestrator.url) as connection:
            connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            self.assertTrue(connection.recv(65536).startswith(b"HTTP/1.1 400 "))


class Tls(Semantics, ClusterCase):
    @classmethod
    def set_up_cluster(cls, cluster):
        cls.certificate = Certificate(cluster.directory)
        http_client.trust(cls.certificate.cert)
        cls.orchestrator = cluster.orchestrator(*cls.certificate.flags)
        cls.transcoder = cluster.transcoder(cls.orchestrator, slots=3)

    def test_urls_that_are_given_out_are_https(self):
        opened = self.session(self.orchestrator, TINY)
        told = self.orchestrator.push(opened["stream"], "0.ts", self.clips[0])
        self.assert_status(told, 200)
        for url in (opened["upload_url"], opened["playback_url"], told.json()["renditions"][0]["url"]):
            self.assertTrue(url.startswith(self.orchestrator.url + "/") and url.startswith("https://"), url)
        playlist = http_client.get(opened["playback_url"])
        self.assert_status(playlist, 200)
        variant = [line for line in playlist.body.decode().splitlines() if line and not line.startswith("#")][0]
        self.assert_status(http_client.get(urljoin(opened["playback_url"], variant)), 200)

    def test_plain_http_on_the_tls_port_is_cut(self):
        host = urlsplit(self.orchestrator.url)
        with socket.create_connection((host.hostname, host.port), timeout=20) as plain:
            plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n")
            try:
                self.assertNotIn(b"200", plain.recv(65536))
            except ConnectionResetError:
                pass

    def test_only_http_1_1_and_tls_1_2_and_later_are_offered(self):
        host = urlsplit(self.orchestrator.url)

        def chosen(**settings):
            context = ssl.create_default_context(cafile=self.certificate.cert)
            if "alpn" in settings:
                context.set_alpn_protocols(settings["alpn"])
            if "newest" in settings:
                context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", DeprecationWarning)
                    context.maximum_version = settings["newest"]
                context.set_ciphers("ALL:@SECLEVEL=0")
            with socket.create_connection((host.hostname, host.port), timeout=20) as plain:
                with context.wrap_socket(plain, server_hostname=host.hostname) as connection:
                    return connection.selected_alpn_protocol(), connection.version()

        self.assertEqual(chosen(alpn=["h2", "http/1.1"])[0], "http/1.1")
        self.assertEqual(chosen(newest=ssl.TLSVersion.TLSv1_2)[1], "TLSv1.2")
        for refused in ({"alpn": ["h2"]}, {"newest": ssl.TLSVersion.TLSv1_1}):
            with self.subTest(refused=refused), self.assertRaises((ssl.SSLError, ConnectionResetError)):
                chosen(**refused)

    def test_curl_and_ffmpeg_push_and_play_over_https(self):
        opened = self.session(self.orchestrator, TINY)
        segment = pathlib.Path(self.cluster.directory) / "0.ts"
        segment.write_bytes(self.clips[0])
        pushed = subprocess.run(["curl", "-sS", "--cacert", self.certificate.cert, "-T", segment, f"{opened['upload_url']}/0.ts"],
                                stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
        self.assertEqual(pushed.returncode, 0, pushed.stderr)
        self.assertIn(b'"seq":0', pushed.stdout)
        self.assertIn(self.orchestrator.end_session(opened["session_id"]).status, (200, 204))
        played = pathlib.Path(self.cluster.directory) / "played.ts"
        # The option belongs to the protocol: the demuxer hands it to every URL that it opens.
        complaints = media.ffmpeg("-y", "-ca_file", self.certificate.cert, "-i", f"{self.orchestrator.url}/stream/{opened['stream']}/small.m3u8",
                                  "-c", "copy", played)
        self.assertEqual(complaints, "")
        self.assertEqual(media.Probe(played).frames, media.Probe(self.clips[0]).frames)

    def test_a_renewed_certificate_is_shown_to_whoever_connects_next_and_nobody_is_cut(self):
        cluster = self.new_cluster()
        certificate = Certificate(cluster.directory)
        http_client.trust(certificate.cert)
        orchestrator = cluster.orchestrator(*certificate.flags)
        host = urlsplit(orchestrator.url)

        def shown():
            return ssl.get_server_certificate((host.hostname, host.port), timeout=20)

        old = shown()
        standing = http.client.HTTPSConnection(host.hostname, host.port, timeout=30,
                                               context=ssl.create_default_context(cafile=certificate.cert))
        standing.request("GET", "/healthz")
        self.assertEqual(standing.getresponse().read(), b"ok\n")
        certificate.renew()
        new = certificate.cert.read_text().strip()
        eventually(lambda: shown().strip() == new, 15, "the new certificate is shown")
        self.assertNotEqual(old.strip(), new)
        standing.request("GET", "/healthz")
        self.assertEqual(standing.getresponse().read(), b"ok\n")
        standing.close()
        # Half a pair changes nothing, and is told.
        certificate.key.write_text("broken")
        eventually(lambda: shown().strip() == new and "the old certificate stays in use" in orchestrator.log.read_text(), 15, "a warning")

    def test_files_that_cannot_serve_stop_the_start_and_name_their_flag(self):
        directory = self.new_cluster().directory
        good, other = Certificate(directory, "good"), Certificate(directory, "other")
        open_key = directory / "open.key"
        open_key.write_bytes(good.key.read_bytes())
        open_key.chmod(0o644)
        text = directory / "text.pem"
        text.write_text("no certificate")
        text.chmod(0o600)
        for cert, key, flag in ((good.cert, None, "tls-key"), (None, good.key, "tls-cert"), (good.cert, other.key, "tls-key"),
                                (good.cert, open_key, "tls-key"), (good.cert, text, "tls-key"), (text, good.key, "tls-cert"),
                                (directory / "none", good.key, "tls-cert"), (good.cert, directory, "tls-key")):
            with self.subTest(cert=cert and cert.name, key=key and key.name):
                flags = (["--tls-cert", cert] if cert else []) + (["--tls-key", key] if key else [])
                lanes = [part for lane in ("service", "link", "admin") for part in (f"--{lane}-addr", "127.0.0.1:0")]
                done = run_to_end([binary("orchestrator"), *lanes, "--data-dir", directory / "d", *flags])
                self.assertEqual(done.returncode, 78, done)
                self.assertIn(f"--{flag}", done.stderr)


class Bounds(ClusterCase):
    @classmethod
    def set_up_cluster(cls, cluster):
        """Each test makes what it needs."""

    def test_connections_are_bounded_in_all_and_for_each_address(self):
        cluster = self.new_cluster()
        for flags in (["--connections-max", "4"], ["--connections-per-address-max", "4"]):
            with self.subTest(flags=flags):
                orchestrator = cluster.orchestrator(*flags)
                held = []
                try:
                    def refused():
                        connection = http_client.connect(orchestrator.url)
                        held.append(connection)
                        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n")
                        return connection.recv(65536).startswith(b"HTTP/1.1 503 ")
                    self.assertEqual([refused() for _ in range(6)].count(True), 2)
                finally:
                    for connection in held:
                        connection.close()
                eventually(lambda o=orchestrator: http_client.get(f"{o.url}/healthz").status == 200, 10, "room again")

    def test_idle_connections_are_closed_by_a_shutdown_and_running_ones_are_answered(self):
        cluster = self.new_cluster()
        orchestrator = cluster.orchestrator()
        cluster.transcoder(orchestrator)
        opened = self.session(orchestrator, TINY)
        with http_client.connect(orchestrator.url) as idle, concurrent.futures.ThreadPoolExecutor(1) as pool:
            idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n")
            self.assertTrue(idle.recv(65536).startswith(b"HTTP/1.1 200 "))
            pushed = pool.submit(orchestrator.push, opened["stream"], "0.ts", self.clips[0])
            eventually(lambda: orchestrator.session(opened["stream"])["in_flight"] + orchestrator.session(opened["stream"])["segments_ok"],
                       10, "the segment is in")
            self.assertEqual(orchestrator.terminate(30), 0)
            self.assert_status(pushed.result(), 200)
            self.assertEqual(idle.recv(1), b"")
