"""HTTP as a broadcaster or a dashboard speaks it, written against the contract and not against our server."""

import email.parser
import email.policy
import http.client
import json
import re
import socket
import ssl
import time
import urllib.parse

_trusted = ssl.create_default_context()  # for https: the system's, and what trust() added


def trust(certificate):
    """From now on the PEM file's certificate is good for https."""
    _trusted.load_verify_locations(certificate)


TIMEOUT_S = 60  # no answer at all within this is a failure of the test


class Answer:
    """Status, headers and body of a response; `seconds` from the last byte sent to the last byte received."""

    def __init__(self, status, headers, body, seconds):
        self.status = status
        self.headers = headers
        self.body = body
        self.seconds = seconds

    def __repr__(self):
        return f"<{self.status} {self.headers.get('Content-Type')} {self.body[:300]!r}>"

    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """The `code` of a problem+json answer, or None."""
        if self.headers.get_content_type() != "application/problem+json":
            return None
        return self.json().get("code")

    def parts(self):
        """The parts of a multipart answer as email messages, read by Python's own parser."""
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        message = email.parser.BytesParser(policy=email.policy.compat32).parsebytes(head + self.body)
        if not message.is_multipart():
            raise AssertionError(f"not a multipart answer: {self!r}")
        return message.get_payload()

    def renditions(self):
        """{Rendition-Name: bytes} of a multipart answer, each part checked against its Content-Length."""
        found = {}
        for part in self.parts():
            content = part.get_payload(decode=True)
            if int(part["Content-Length"]) != len(content):
                raise AssertionError(f"{part['Rendition-Name']}: {part['Content-Length']} announced, {len(content)} sent")
            found[part["Rendition-Name"]] = content
        return found


def request(method, url, body=None, headers=None, timeout=TIMEOUT_S):
    """One request on a connection of its own. `body`: bytes, or an iterable of bytes (sent chunked).

    An answer that comes before the body was sent (a refusal) is returned, not lost in a broken pipe.
    """
    parsed = urllib.parse.urlsplit(url)
    if parsed.scheme == "https":
        connection = http.client.HTTPSConnection(parsed.hostname, parsed.port, timeout=timeout, context=_trusted)
    else:
        connection = http.client.HTTPConnection(parsed.hostname, parsed.port, timeout=timeout)
    target = parsed.path + (f"?{parsed.query}" if parsed.query else "")
    try:
        try:
            connection.request(method, target, body=body, headers=headers or {})
        except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
            # The server has answered and closed: what it said is in our receive buffer.
            response = http.client.HTTPResponse(connection.sock, method=method)
            response.begin()
            return Answer(response.status, response.headers, response.read(), 0.0)
        sent = time.monotonic()
        response = connection.getresponse()
        content = response.read()
        return Answer(response.status, response.headers, content, time.monotonic() - sent)
    finally:
        connection.close()


def get(url, **options):
    return request("GET", url, **options)


def connect(url):
    """A raw connection to the server of `url`; inside TLS for https."""
    parsed = urllib.parse.urlsplit(url)
    plain = socket.create_connection((parsed.hostname, parsed.port), timeout=TIMEOUT_S)
    return _trusted.wrap_socket(plain, server_hostname=parsed.hostname) if parsed.scheme == "https" else plain


def read_answer(connection, method="PUT"):
    """The response on a raw connection, read to its end."""
    start = time.monotonic()
    response = http.client.HTTPResponse(connection, method=method)
    response.begin()
    return Answer(response.status, response.headers, response.read(), time.monotonic() - start)


_SAMPLE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')


class Metrics:
    """Samples of a Prometheus text page."""

    def __init__(self, text):
        self.samples = []  # (name, {label: value}, number)
        for line in text.splitlines():
            if not line or line.startswith("#"):
                continue
            match = _SAMPLE.match(line)
            if not match:
                raise AssertionError(f"not a Prometheus sample: {line!r}")
            name, labels, number = match.groups()
            self.samples.append((name, dict(_LABEL.findall(labels or "")), float(number)))

    def names(self):
        return {name for name, _, _ in self.samples}

    def labels_of(self, name, label):
        return {labels[label] for sample, labels, _ in self.samples if sample == name and label in labels}

    def value(self, name, **labels):
        """The sum of the samples of `name` that have these labels; None when there is none."""
        found = [n for s, have, n in self.samples if s == name and labels.items() <= have.items()]
        return sum(found) if found else None
