"""Make certificates with the commands of docs/operations/signer.md."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificate:
    """A certificate with its private key."""

    path: Path
    key: Path

    @property
    def sha256(self) -> str:
        """The fingerprint, in openssl's form with colons."""
        command = ["openssl", "x509", "-in", str(self.path), "-noout", "-fingerprint", "-sha256"]
        line = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return line.strip().partition("=")[2]


def make_certificate(
    folder: Path, name: str, *, days: int = 365, issuer: Certificate | None = None, ca: bool = False
) -> Certificate:
    """Make a key and a certificate, signed by itself unless an issuer is given."""
    made = Certificate(folder / f"{name}.crt", folder / f"{name}.key")
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(made.key)]
    own = ["-addext", f"basicConstraints=critical,CA:{str(ca).upper()}"]
    signed_by = [] if issuer is None else ["-CA", str(issuer.path), "-CAkey", str(issuer.key)]
    command = ["openssl", "req", "-x509", *new_key, "-days", "365", "-subj", f"/CN={name}", *own, *signed_by]
    subprocess.run([*command, "-out", made.path], capture_output=True, check=True)
    made.key.chmod(0o600)
    return made
