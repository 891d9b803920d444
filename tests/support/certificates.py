"""Certificates made on the spot, by openssl(1)."""

import os
import subprocess


class Certificate:
    """`cert` and `key`: PEM files in `directory`, for `whom`. renew() replaces the pair, as an ACME client would."""

    def __init__(self, directory, name="server", whom="IP:127.0.0.1"):
        self.whom = whom
        self.cert = directory / f"{name}.crt"
        self.key = directory / f"{name}.key"
        self.renew()

    def renew(self):
        fresh_cert, fresh_key = self.cert.with_suffix(".crt.new"), self.key.with_suffix(".key.new")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
             "-subj", "/CN=localhost", "-addext", f"subjectAltName={self.whom}", "-keyout", fresh_key, "-out", fresh_cert],
            check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        fresh_key.chmod(0o600)
        os.replace(fresh_cert, self.cert)
        os.replace(fresh_key, self.key)

    @property
    def flags(self):
        return ["--tls-cert", self.cert, "--tls-key", self.key]
