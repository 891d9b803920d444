"""The demo's driver: see deploy/demo.sh. Everything it starts ends with it, also when it is killed."""

import argparse
import contextlib
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))  # tests/support knows how to run the binaries

import checks as checking  # noqa: E402
import sources  # noqa: E402
from progress import Progress  # noqa: E402
from push import Broadcaster  # noqa: E402
from support import http_client, media  # noqa: E402
from support.cluster import Cluster  # noqa: E402
from support.processes import Process  # noqa: E402
from support.wait import TimedOut, eventually  # noqa: E402

# fps 0: as many frames as the source, so that the checks can count.
LADDER = [
    {"name": "360p", "width": 640, "height": 360, "bitrate": 1000000, "fps": 0},
    {"name": "240p", "width": 426, "height": 240, "bitrate": 500000, "fps": 0},
]
SLOTS = 2  # per transcoder: one must be able to carry both streams when the other dies
PUSH_LIMIT_S = 900


class Stopped(Exception):
    """A signal asked us to end."""


def stop(number, _frame):
    raise Stopped(signal.Signals(number).name)


def arguments():
    parser = argparse.ArgumentParser(prog="demo.sh")
    parser.add_argument("--bin", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--input", type=pathlib.Path)
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--keep", type=pathlib.Path)
    given = parser.parse_args()
    if given.input is not None and not given.input.is_file():
        sys.exit(f"demo: no such file: {given.input}")
    return given


@contextlib.contextmanager
def working_directory(keep):
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.resolve()
        return
    made = pathlib.Path(tempfile.mkdtemp(prefix="millrace-demo-"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def start(cluster):
    orchestrator = cluster.orchestrator("--playlist-segments", "0", name="orchestrator")  # 0: playlists list all, to be played whole
    token = orchestrator.join_token("--ttl", "1h")
    transcoders = [cluster.transcoder(orchestrator, name=f"transcoder-{n}", slots=SLOTS, tokens=[token]) for n in (1, 2)]
    return orchestrator, transcoders


def open_sessions(orchestrator, found, out):
    broadcasters = []
    for source in found:
        answer = orchestrator.open_session(source.name, LADDER)
        if answer.status != 201:
            sys.exit(f"demo: POST /sessions: {answer!r}")
        broadcasters.append(Broadcaster(orchestrator, source, answer.json(), out))
    return broadcasters


def half_way(broadcasters):
    return sum(len(b.pushed) for b in broadcasters) >= sum(b.total for b in broadcasters) / 2


def kill_one(orchestrator, transcoders, stream):
    """Kills the transcoder that carries `stream`, with a segment of it in work when one is seen in time."""
    def in_work():
        session = orchestrator.session(stream)
        return session if session and session["transcoder"] and session["in_flight"] else None
    try:
        session = eventually(in_work, 5, "a segment in work", poll=0.005)
    except TimedOut:
        session = orchestrator.session(stream)
    victim = next(t for t in transcoders if t.name == session["transcoder"])
    victim.kill()
    return victim


def push_all(orchestrator, transcoders, broadcasters):
    """Pushes everything, kills a transcoder half way; returns the victim."""
    progress = Progress(broadcasters)
    victim = None
    for broadcaster in broadcasters:
        broadcaster.start()
    deadline = time.monotonic() + PUSH_LIMIT_S
    while any(b.is_alive() for b in broadcasters) and time.monotonic() < deadline:
        if victim is None and half_way(broadcasters):
            victim = kill_one(orchestrator, transcoders, broadcasters[0].source.name)
            progress.say(f"  kill -9 {victim.name} (pid {victim.process.pid}), which carries '{broadcasters[0].source.name}'")
        progress.show("one transcoder left" if victim else "")
        for broadcaster in broadcasters:
            broadcaster.join(0.1)
    progress.show()
    progress.end()
    return victim


def table(broadcasters, frames):
    print(f"\n  {'rendition':<14}{'segments':>9}{'frames':>8}{'bytes':>12}{'x real time':>13}")
    for b in broadcasters:
        seconds = sum(b.source.durations[p.seq] for p in b.pushed if p.status == 200)
        waited = sum(p.seconds for p in b.pushed if p.status == 200)
        for name, count in frames[b.source.name].items():
            files = [p.files[name] for p in b.pushed if name in p.files]
            size = sum(f.stat().st_size for f in files)
            print(f"  {b.source.name + '/' + name:<14}{len(files):>9}{count:>8}{size:>12,}{seconds / waited if waited else 0:>13.2f}")
    slowest = max((p.seconds for b in broadcasters for p in b.pushed), default=0)
    print(f"  x real time: seconds of video per second from a segment's last byte to its whole answer; slowest answer {slowest:.2f} s\n")


def check(orchestrator, broadcasters, victim, work):
    found = checking.Checks()
    found.expect(victim is not None and not victim.process.running(), "a transcoder was killed half way")
    frames = {b.source.name: checking.check_stream(found, b, LADDER, work) for b in broadcasters}
    for b in broadcasters:
        orchestrator.end_session(b.session["session_id"])
        url = f"{orchestrator.url}/stream/{b.source.name}"
        eventually(lambda u=url: b"#EXT-X-ENDLIST" in media_playlist(u), 5, f"{url} ends")
        listed = frames[b.source.name][LADDER[0]["name"]]
        for path in [f"{url}.m3u8", *(f"{url}/{spec['name']}.m3u8" for spec in LADDER)]:
            checking.check_playback(found, path, listed, work)
    return found, frames


def media_playlist(url):
    return http_client.get(f"{url}/{LADDER[0]['name']}.m3u8").body


def stay(orchestrator, found, transcoders, victim, work):
    """Replaces the dead transcoder and keeps two live streams going until a signal."""
    victim.start()
    live = []
    for source in found:
        stream = f"{source.name}-live"
        base = f"{orchestrator.url}/live/{stream}"
        answer = orchestrator.open_session(stream, LADDER)
        if answer.status != 201:
            sys.exit(f"demo: POST /sessions: {answer!r}")
        live.append((stream, Process(
            ["ffmpeg", "-hide_banner", "-nostdin", "-v", "error", "-re", *sources.endless(source.clip, work / stream),
             "-map", "0:v:0", "-map", "0:a:0?", "-c", "copy", "-f", "hls", "-hls_time", sources.SEGMENT_S, "-method", "PUT",
             "-hls_segment_filename", f"{base}/%d.ts", f"{base}/index.m3u8"], work / f"{stream}.log")))
    try:
        for stream, _ in live:
            eventually(lambda s=stream: orchestrator.playlist(f"{s}.m3u8").status == 200, 30, f"{stream} plays")
        print("\nWatch the live streams (ffplay, VLC, a browser with hls.js):")
        for stream, _ in live:
            print(f"  {orchestrator.url}/stream/{stream}.m3u8")
        print(f"Look in:\n  {orchestrator.admin}/status\n  {orchestrator.admin}/metrics")
        for transcoder in transcoders:
            print(f"  {transcoder.admin}/metrics   ({transcoder.name}, pid {transcoder.process.pid}: kill it and see)")
        print("Ctrl-C ends it all.", flush=True)
        while all(process.running() for _, process in live):
            time.sleep(0.5)
        print("demo: a broadcaster ended by itself; its log:\n" + "".join(p.text() for _, p in live)[-2000:])
        return 1
    finally:
        for _, process in live:
            process.destroy()


def run(given, work, cluster):
    print("Cutting the sources ...", flush=True)
    found = sources.prepare(given.input, work)
    for source in found:
        print(f"  {source.name}: {source.origin}, {len(source.segments)} segments, {sum(source.durations):.1f} s")
    print("Starting an orchestrator and two transcoders ...", flush=True)
    orchestrator, transcoders = start(cluster)
    print(f"  {orchestrator.url}  transcoders on {orchestrator.link}  admin {orchestrator.admin}")
    print(f"Pushing {len(found)} streams; half way a transcoder is killed ...", flush=True)
    broadcasters = open_sessions(orchestrator, found, work / "out")
    victim = push_all(orchestrator, transcoders, broadcasters)
    print("Checking with ffprobe and ffmpeg ...", flush=True)
    result, frames = check(orchestrator, broadcasters, victim, work)
    table(broadcasters, frames)
    for wrong in result.broken[:20]:
        print(f"  WRONG {wrong}")
    print(f"demo: {result.held} checks held, {len(result.broken)} did not", flush=True)
    if result.broken:
        print(cluster.logs(20))
        return 1
    return 0 if given.once else stay(orchestrator, found, transcoders, victim, work)


def main():
    given = arguments()
    os.environ["MILLRACE_BIN"] = str(pathlib.Path(given.bin).resolve())
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    with working_directory(given.keep) as work:
        cluster = Cluster(directory=work)
        try:
            code = run(given, work, cluster)
        except Stopped as reason:
            print(f"\ndemo: {reason}: ending everything")
            code = 0 if not given.once else 130
        except (AssertionError, OSError) as error:
            print(f"\ndemo: {error}\n{cluster.logs(30)}", file=sys.stderr)
            code = 1
        finally:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            reports = cluster.close()
    if reports:
        print("demo: daemons reported bugs:\n" + "\n".join(reports[:10]), file=sys.stderr)
        code = 1
    sys.exit(code)


if __name__ == "__main__":
    main()
