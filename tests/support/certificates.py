"""Certificates made for a test by the openssl program: a CA of one's own, and what it signs.

Other rooms load this file by its path.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
_CA_CONFIG = """\
[ca]
default_ca = own
[own]
new_certs_dir = .
database = index.txt
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
copy_extensions = none
[any]
commonName = supplied
"""
_LONG = ("20200101000000Z", "20491231000000Z")
_OVER = ("20200101000000Z", "20200601000000Z")


class Ca:
    """A certificate authority in a folder of its own: `ca.crt`, and pairs that it signs."""

    def __init__(self, folder: Path, name: str = "Test CA") -> None:
        folder.mkdir()
        self._folder = folder
        self.path = folder / "ca.crt"
        (folder / "ca.cnf").write_text(_CA_CONFIG)
        (folder / "index.txt").touch()
        self._openssl("req", "-new", *_NEW_KEY, "-keyout", "ca.key", "-out", "ca.csr", "-subj", f"/CN={name}")
        self._sign("ca", "basicConstraints=critical,CA:TRUE", "-selfsign", span=_LONG)

    def pair(self, name: str, *, expired: bool = False) -> tuple[Path, Path]:
        """Certificate and key for a server of this name, or a client; valid until 2049, or in 2020 only."""
        request = ("-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        self._openssl("req", "-new", *_NEW_KEY, *request)
        kind = "IP" if name[0].isdigit() else "DNS"
        self._sign(name, f"subjectAltName={kind}:{name}", "-cert", "ca.crt", span=_OVER if expired else _LONG)
        return self._folder / f"{name}.crt", self._folder / f"{name}.key"

    def _sign(self, name: str, extension: str, *options: str, span: tuple[str, str]) -> None:
        (self._folder / "extensions").write_text(extension)
        dates = ("-startdate", span[0], "-enddate", span[1])
        files = ("-keyfile", "ca.key", "-in", f"{name}.csr", "-out", f"{name}.crt")
        self._openssl(
            *("ca", "-batch", "-notext", "-config", "ca.cnf", "-extfile", "extensions"),
            *(*dates, *files, *options),
        )

    def _openssl(self, *words: str) -> None:
        subprocess.run(["openssl", *words], cwd=self._folder, check=True, capture_output=True)
