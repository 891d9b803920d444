"""A broadcaster: one thread that pushes a source's segments and keeps what comes back."""

import threading
import time


class Pushed:
    """One answered segment: status, seconds from the last byte sent to the whole answer, files by rendition."""

    def __init__(self, seq, status, seconds, files, problem=""):
        self.seq, self.status, self.seconds, self.files, self.problem = seq, status, seconds, files, problem


class Broadcaster(threading.Thread):
    """Pushes each segment as soon as the one before was answered, with multipart answers."""

    def __init__(self, orchestrator, source, session, out):
        super().__init__(name=source.name, daemon=True)
        self.orchestrator, self.source, self.session, self.out = orchestrator, source, session, out
        self.pushed = []  # appended by the thread, read by anybody
        self.stopping = False

    @property
    def total(self):
        return len(self.source.segments)

    def run(self):
        for seq, file in enumerate(self.source.segments):
            if self.stopping:
                return
            self.pushed.append(self._push(seq, file))

    def _push(self, seq, file):
        started = time.monotonic()
        try:
            answer = self.orchestrator.push(
                self.source.name, f"{seq}.ts", file.read_bytes(), multipart=True,
                headers={"Authorization": f"Bearer {self.session['token']}",
                         "Content-Duration": str(round(self.source.durations[seq] * 1000))})
        except OSError as error:
            return Pushed(seq, 0, time.monotonic() - started, {}, str(error))
        if answer.status != 200:
            return Pushed(seq, answer.status, answer.seconds, {}, answer.body.decode(errors="replace"))
        files = {}
        for name, content in answer.renditions().items():
            files[name] = self.out / self.source.name / name / f"{seq:04d}.ts"
            files[name].parent.mkdir(parents=True, exist_ok=True)
            files[name].write_bytes(content)
        return Pushed(seq, 200, answer.seconds, files)
