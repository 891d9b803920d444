"""Command lines: exit codes, help, configuration from four places, locks, ports, `transcode` and `devices`."""

import json
import pathlib
import re
import socket
import tempfile

from support import media
from support.case import LADDER, SIZES, ClusterCase
from support.cluster import binary
from support.processes import run_to_end

OK, USAGE, BAD_INPUT, UNREACHABLE, CONFIG = 0, 64, 65, 69, 78


def orchestrator(*arguments, **options):
    return run_to_end([binary("orchestrator"), *arguments], **options)


def transcoder(*arguments, **options):
    return run_to_end([binary("transcoder"), *arguments], **options)


class CommandLine(ClusterCase):
    @classmethod
    def set_up_cluster(cls, cluster):
        """No daemon runs longer than a test here."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)

    def test_help_and_version_go_to_standard_output(self):
        for program in (orchestrator, transcoder):
            for flag in ("--help", "--version"):
                done = program(flag)
                self.assertEqual((done.returncode, done.stderr), (OK, ""), done)
                self.assertTrue(done.stdout)

    def test_help_offers_only_what_is_there(self):
        """A flag that is in --help is known; one of the contract that is not is refused, never ignored."""
        contract = {
            orchestrator: {"--auth": "none", "--playback": "public", "--stake": "none", "--stake-per-session": "0", "--eth-url": "http://127.0.0.1:1",
                           "--tls-cert": "x", "--tls-key": "x", "--verify": "0", "--redundancy": "1", "--livepeer-metrics": None,
                           "--keep-bytes": "1GiB", "--log-format": "text", "--local-transcoder": "0"},
            transcoder: {"--nvidia": "all", "--label": "a=b", "--drain-timeout": "5s", "--exit-if-unreachable": None},
        }
        for program, flags in contract.items():
            shown = program("--help").stdout
            for flag, value in flags.items():
                if re.search(rf"{flag}\b(?!-)", shown):
                    continue
                with self.subTest(flag=flag):
                    done = program("--check-config", flag, *([value] if value else []), "--data-dir", self.directory / "d")
                    self.assertEqual(done.returncode, USAGE, done)
                    self.assertIn(flag.lstrip("-"), done.stderr)

    def test_wrong_usage(self):
        for program in (orchestrator, transcoder):
            for arguments in (["--no-such-flag"], ["no-such-subcommand"], ["--data-dir"]):
                with self.subTest(arguments=arguments):
                    done = program(*arguments)
                    self.assertEqual(done.returncode, USAGE, done)
                    self.assertTrue(done.stderr)

    def test_all_mistakes_of_a_configuration_are_reported_at_once(self):
        config = self.directory / "wrong.json"
        config.write_text(json.dumps({"service-addr": "nonsense", "max-sessions": "many", "no-such-key": 1}))
        done = orchestrator("--check-config", "--config", config, "--data-dir", self.directory / "d")
        self.assertEqual(done.returncode, CONFIG, done)
        for key in ("service-addr", "max-sessions", "no-such-key"):
            self.assertIn(key, done.stderr)

    def test_every_wrong_key_of_a_configuration_file_is_named(self):
        config = self.directory / "wrong.json"
        for key, value in (
            ("service-addr", "nonsense"), ("service-addr", 8935), ("link-addr", "127.0.0.1"), ("payload-addr", "127.0.0.1:70000"),
            ("admin-addr", ":x"), ("max-sessions", "many"), ("max-sessions", -1), ("local-transcoder", "x"), ("ladder", "P9999p"),
            ("ladder", "/no/such/file.json"), ("playback", "maybe"), ("keep-bytes", "lots"), ("playlist-segments", "some"),
            ("body-max", "-5"), ("headers-timeout", "5 parsecs"), ("connections-max", [1]), ("log-level", "loud"), ("log-format", "xml"),
            ("log-level", {"a": 1}), ("no-such-key", "1"),
        ):
            with self.subTest(key=key, value=value):
                config.write_text(json.dumps({key: value}))
                done = orchestrator("--config", config, "--data-dir", self.directory / "d")
                self.assertEqual(done.returncode, CONFIG, done)
                self.assertIn(key, done.stderr)
        for text in ("{", "[]", ""):
            with self.subTest(text=text):
                config.write_text(text)
                done = orchestrator("--config", config, "--data-dir", self.directory / "d")
                self.assertEqual(done.returncode, CONFIG, done)
                self.assertIn("config", done.stderr)

    def test_a_data_directory_that_cannot_be_used_is_refused_by_name(self):
        addresses = [part for lane in ("service", "link", "payload", "admin") for part in (f"--{lane}-addr", "127.0.0.1:0")]
        file = self.directory / "file"
        file.touch()
        foreign, readable = self.directory / "foreign", self.directory / "readable"
        for directory in (foreign, readable):
            directory.mkdir(mode=0o700)
            (directory / "millrace.db").write_bytes(b"x" * 5000 if directory == foreign else b"")
            (directory / "millrace.db").chmod(0o600 if directory == foreign else 0o644)
        for data_dir in (file, file / "below", foreign, readable):
            with self.subTest(data_dir=data_dir.name):
                done = orchestrator(*addresses, "--data-dir", data_dir)
                self.assertEqual(done.returncode, CONFIG, done)
                self.assertIn("--data-dir", done.stderr)
        # The lock of a process that is gone is nobody's.
        cluster = self.new_cluster()
        killed = cluster.orchestrator()
        killed.kill()
        self.assertTrue((killed.data_dir / "lock").exists())
        killed.start()

    def test_flag_beats_environment_beats_file(self):
        config = self.directory / "c.json"
        config.write_text(json.dumps({"max-sessions": "many"}))
        base = ["--check-config", "--config", config, "--data-dir", self.directory / "d"]
        self.assertEqual(orchestrator(*base).returncode, CONFIG)
        self.assertEqual(orchestrator(*base, environment={"MILLRACE_MAX_SESSIONS": "3"}).returncode, OK)
        self.assertEqual(orchestrator(*base, "--max-sessions", "3", environment={"MILLRACE_MAX_SESSIONS": "lots"}).returncode, OK)

    def test_values_out_of_range_are_named(self):
        for program, flag, value in (
            (orchestrator, "--service-addr", "127.0.0.1:99999"), (orchestrator, "--link-addr", "nowhere"),
            (orchestrator, "--max-sessions", "-1"), (orchestrator, "--local-transcoder", "x"), (orchestrator, "--ladder", "P9999p"),
            (orchestrator, "--log-level", "loud"), (transcoder, "--max-sessions", "zero"), (transcoder, "--drain-timeout", "5 parsecs"),
            (transcoder, "--orch-addr", "no-port"),
        ):
            with self.subTest(flag=flag, value=value):
                needed = [] if program is orchestrator or flag == "--orch-addr" else ["--orch-addr", "127.0.0.1:8936"]
                done = program("--check-config", flag, value, *needed, "--data-dir", self.directory / "d")
                self.assertIn(done.returncode, (USAGE, CONFIG), done)
                self.assertIn(flag.lstrip("-"), done.stderr)

    def test_a_transcoder_needs_to_know_whom_to_join(self):
        done = transcoder("--data-dir", self.directory / "d")
        self.assertIn(done.returncode, (USAGE, CONFIG), done)
        self.assertIn("orch-addr", done.stderr)

    def test_a_secret_in_a_file_others_can_read_is_refused(self):
        token = self.directory / "token"
        token.write_text("mrj1_x")
        token.chmod(0o644)
        done = transcoder("--orch-addr", "127.0.0.1:1", "--join-token", f"@{token}", "--data-dir", self.directory / "d", "--admin-addr", "127.0.0.1:0")
        self.assertEqual(done.returncode, CONFIG, done)
        self.assertIn("join-token", done.stderr)

    def test_a_subcommand_without_an_orchestrator_says_that_nobody_answers(self):
        with socket.create_server(("127.0.0.1", 0)) as held:  # bound and never answering is somebody; so close it first
            port = held.getsockname()[1]
        (self.directory / "d").mkdir()
        for command in ("status", "transcoders", "join-token"):
            with self.subTest(command=command):
                done = orchestrator(command, "--admin-addr", f"127.0.0.1:{port}", "--data-dir", self.directory / "d")
                self.assertEqual(done.returncode, UNREACHABLE, done)

    def test_an_orchestrator_per_data_directory(self):
        cluster = self.new_cluster()
        first = cluster.orchestrator()
        done = orchestrator("--service-addr", "127.0.0.1:0", "--link-addr", "127.0.0.1:0", "--payload-addr", "127.0.0.1:0",
                            "--admin-addr", "127.0.0.1:0", "--data-dir", first.data_dir)
        self.assertEqual(done.returncode, CONFIG, done)
        self.assertIn("--data-dir", done.stderr + done.stdout)

    def test_a_transcoder_per_data_directory(self):
        cluster = self.new_cluster()
        serving = cluster.orchestrator()
        first = cluster.transcoder(serving)
        done = transcoder("--orch-addr", serving.link, "--admin-addr", "127.0.0.1:0", "--data-dir", first.data_dir, "--max-sessions", 1)
        self.assertEqual(done.returncode, CONFIG, done)
        for flag in ("--data-dir", "--name"):
            self.assertIn(flag, done.stderr + done.stdout)

    def test_a_taken_port_is_named_by_its_flag(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            for flag in ("--service-addr", "--link-addr", "--payload-addr", "--admin-addr"):
                with self.subTest(program="orchestrator", flag=flag):
                    addresses = {f: "127.0.0.1:0" for f in ("--service-addr", "--link-addr", "--payload-addr", "--admin-addr")}
                    addresses[flag] = address
                    done = orchestrator(*[part for pair in addresses.items() for part in pair], "--data-dir", self.directory / flag)
                    self.assertEqual(done.returncode, CONFIG, done)
                    self.assertIn(flag, done.stderr + done.stdout)
            done = transcoder("--orch-addr", "127.0.0.1:1", "--admin-addr", address, "--data-dir", self.directory / "t", "--max-sessions", 1)
            self.assertEqual(done.returncode, CONFIG, done)
            self.assertIn("--admin-addr", done.stderr + done.stdout)

    def test_exit_if_unreachable(self):
        with socket.create_server(("127.0.0.1", 0)) as held:
            port = held.getsockname()[1]
        serving = self.new_cluster().orchestrator()  # its token, but nobody at the address
        token = serving.join_token()
        done = transcoder("--orch-addr", f"127.0.0.1:{port}", "--join-token", token, "--exit-if-unreachable",
                          "--admin-addr", "127.0.0.1:0", "--data-dir", self.directory / "t", "--max-sessions", 1, within=60)
        self.assertEqual(done.returncode, UNREACHABLE, done)


class Tools(ClusterCase):
    @classmethod
    def set_up_cluster(cls, cluster):
        """`transcode` and `devices` need no orchestrator."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        self.ladder = self.directory / "ladder.json"
        self.ladder.write_text(json.dumps(LADDER))

    def test_transcode_writes_every_rendition_of_every_segment(self):
        inputs = []
        for seq in range(3):
            inputs.append(self.directory / f"in{seq}.ts")
            inputs[-1].write_bytes(self.clips[seq])
        out = self.directory / "out"
        done = transcoder("transcode", *inputs, "--ladder", self.ladder, "--out-dir", out, "--json", within=60)
        self.assertEqual(done.returncode, OK, done)
        for number, clip in enumerate(self.clips[:3]):
            for name, size in SIZES.items():
                probe = media.Probe(out / name / f"{number}.ts")
                self.assertEqual((probe.width, probe.height, probe.frames, probe.errors), (*size, media.Probe(clip).frames, ""))
        self.assertTrue(done.stdout.strip())
        json.loads(done.stdout) if done.stdout.lstrip()[0] == "[" else [json.loads(line) for line in done.stdout.splitlines()]

    def test_transcode_of_garbage_is_bad_input(self):
        wrong = self.directory / "wrong.ts"
        wrong.write_bytes(b"<html></html>" * 100)
        for path in (wrong, self.directory / "missing.ts"):
            with self.subTest(path=path.name):
                done = transcoder("transcode", path, "--ladder", self.ladder, "--out-dir", self.directory / "out", within=60)
                self.assertEqual(done.returncode, BAD_INPUT, done)
                self.assertTrue(done.stderr)

    def test_transcode_with_a_wrong_ladder_names_its_mistakes(self):
        self.ladder.write_text('[{"name":"a","width":-1,"height":90,"bitrate":1}]')
        clip = self.directory / "in.ts"
        clip.write_bytes(self.clips[0])
        done = transcoder("transcode", clip, "--ladder", self.ladder, "--out-dir", self.directory / "out")
        self.assertIn(done.returncode, (USAGE, CONFIG), done)
        self.assertIn("width", done.stderr)

    def test_devices_says_what_this_machine_can_do(self):
        done = transcoder("devices", "--json")
        self.assertEqual(done.returncode, OK, done)
        self.assertIn("cpu", json.dumps(json.loads(done.stdout)).lower())
        self.assertIn("cpu", transcoder("devices").stdout.lower())
