"""Random segments and ladders through `transcoder transcode`, compared with ffmpeg decoding each segment alone.

    MILLRACE_BIN=../build/release/bin /usr/bin/python3 -B -m media.random_clips --seed 1 --count 100     (from tests/)

`--from drawn` makes its pictures, `worn` copies such segments once more through a filter or an option of the muxer, `found` cuts them out of the real
clips of `--clips`. A seed is a case. One that fails prints its seed and the commands that repeat it; `--seed N --count 1 --keep DIR` leaves the files.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import random
import shlex
import subprocess
import sys
import tempfile

from media.random_clips import checks
from media.random_clips.found import draw_found
from media.random_clips.ladder import draw_ladder
from media.random_clips.oracle import File, run
from media.random_clips.source import draw_source
from media.random_clips.wear import BROKEN, draw_worn
from support.cluster import binary
from support.processes import run_to_end

TRANSCODE_WITHIN_S = 90
SUFFIX = {"mpegts": "ts", "mp4": "mp4"}
SKIPPED = 77  # ctest's SKIP_RETURN_CODE
CLIPS = pathlib.Path(__file__).resolve().parents[4] / "shared" / "media"


def draw(rng, kind, clips):
    if kind == "found":
        return draw_found(rng, pathlib.Path(clips).resolve())
    return draw_worn(rng) if kind == "worn" else draw_source(rng)


class Case:
    def __init__(self, seed, place, kind="drawn", clips=CLIPS):
        rng = random.Random(seed)
        self.seed, self.place = seed, pathlib.Path(place)
        self.source, self.ladder = draw(rng, kind, clips), draw_ladder(rng)
        self.problems, self.trouble, self.inputs = [], "", []

    def run(self):
        """Fills `problems`. `trouble`: ffmpeg made no segment of it, so there was nothing to try."""
        if self._make():
            self._transcode()
        return self

    def _make(self):
        for line in self.source.lines:
            status, _, said = run("sh", "-c", line, place=self.place)
            if status != 0:
                self.trouble = said.strip()[:300] or f"exit {status}"
                return False
        self.inputs = [p for p in sorted(self.place.glob(self.source.pattern)) if p.stat().st_size > 0][:self.source.count]
        self.trouble = "" if self.inputs else "no segments"
        return bool(self.inputs)

    def command(self):
        return [binary("transcoder"), "transcode", "--json", *self.inputs, "--ladder", self.place / "ladder.json", "--out-dir", self.place / "out"]

    def _transcode(self):
        (self.place / "ladder.json").write_text(json.dumps(self.ladder))
        try:
            done = run_to_end(self.command(), within=TRANSCODE_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.problems.append(f"did not end within {TRANSCODE_WITHIN_S} s")
            return
        if done.returncode not in (0, 65):
            self.problems.append(f"exit {done.returncode}: {done.stderr.strip()[:500]}")
        try:
            results = json.loads(done.stdout)
        except ValueError:
            self.problems.append(f"no JSON, exit {done.returncode}: {done.stderr.strip()[:500]}")
            return
        self._compare(results)

    def _compare(self, results):
        marks = self.source.marks
        sources, files = [File(path) for path in self.inputs], []
        for n, (source, result) in enumerate(zip(sources, results)):
            files.append({})
            if "error" in result:
                self._note(n, "", checks.check_failure(source, marks, result["error"]))
                continue
            if BROKEN not in marks:
                self._note(n, "source", checks.check_source(source, marks, result))
            by_name = {r["name"]: r for r in result["renditions"]}
            skipped = {s["name"] for s in result["skipped"]}
            for spec in self.ladder:
                if spec["name"] in skipped:
                    continue
                file = File(self.place / "out" / spec["name"] / f"{n}.{SUFFIX[spec['container']]}", made=True)
                files[n][spec["name"]] = file
                made = by_name[spec["name"]]
                if BROKEN in marks:
                    self._note(n, spec["name"], checks.check_by_itself(spec, made, file))
                    continue
                self._note(n, spec["name"], checks.check_rendition(source, marks, result, spec, made, file) if source.frames else ())
                self._note(n, spec["name"], checks.check_sound(source, marks, result, spec, made, file))
        if len(sources) > 1 and BROKEN not in marks and not any("error" in r for r in results):
            self._note(0, "joins", checks.check_joins(marks, sources, self.ladder, results, files))

    def _note(self, n, what, problems):
        self.problems += [f"segment {n} {what}: {problem}" for problem in problems]

    def repeat(self):
        """The commands that show it, for a shell in an empty directory."""
        command = [str(a).replace(str(self.place) + "/", "") for a in self.command()]
        return [*self.source.lines, f"echo {shlex.quote(json.dumps(self.ladder))} > ladder.json", shlex.join(command)]


def run_case(seed, kind, clips, keep=None):
    if keep:
        pathlib.Path(keep).mkdir(parents=True, exist_ok=True)
        return Case(seed, keep, kind, clips).run()
    with tempfile.TemporaryDirectory(prefix="millrace-random-") as place:
        try:
            return Case(seed, place, kind, clips).run()
        except TimeoutError as hung:
            case = Case(seed, place, kind, clips)
            case.trouble = str(hung)
            return case


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="the first one")
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--from", dest="kind", choices=["drawn", "worn", "found"], default="drawn")
    parser.add_argument("--clips", default=CLIPS, help="the real ones; for --from found")
    parser.add_argument("--keep", help="directory for the files of the one case")
    given = parser.parse_args()
    if given.kind == "found" and not pathlib.Path(given.clips).is_dir():
        print(f"\n*** SKIPPED: no clips at {given.clips} ***\n")
        return SKIPPED
    seen, failed, made = collections.Counter(), 0, 0
    with concurrent.futures.ThreadPoolExecutor(given.jobs) as pool:
        for case in pool.map(lambda seed: run_case(seed, given.kind, given.clips, given.keep if given.count == 1 else None),
                             range(given.seed, given.seed + given.count)):
            if case.trouble:
                seen["not made"] += 1
                print(f"seed {case.seed}: nothing to try: {case.trouble.splitlines()[0]}", flush=True)
                continue
            made += 1
            seen.update(case.source.marks)
            if case.problems:
                failed += 1
                print(f"\nseed {case.seed} ({' '.join(sorted(case.source.marks))}):", *case.problems, sep="\n  ! ")
                print(*case.repeat(), sep="\n    ", flush=True)
    print(f"\n{made} cases, {failed} failed. " + ", ".join(f"{name} {count}" for name, count in seen.most_common()))
    return 1 if failed else 0


if __name__ == "__main__":
    os.environ.setdefault("MILLRACE_BIN", str(pathlib.Path(__file__).resolve().parents[3] / "build" / "release" / "bin"))
    sys.exit(main())
