"""Certificates for the tests: an own authority, server and client certificates, as files in a directory."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

LOOPBACK = ("localhost", "127.0.0.1")


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """A certificate with its chain, its key, and both in one file; all PEM."""

    certificate: Path
    key: Path
    combined: Path


class Authority:
    """A certificate authority nobody knows but who is given `ca_file`. Each one is different."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._ca = trustme.CA()
        self.ca_file = directory / "ca.pem"
        self._ca.cert_pem.write_to_path(str(self.ca_file))

    def server(self, *names: str, expired: bool = False) -> CertificateFiles:
        """Issue a server's certificate; for loopback unless other names are given."""
        not_after = datetime(2020, 1, 1, tzinfo=UTC) if expired else None
        issued = self._ca.issue_cert(*(names or LOOPBACK), not_after=not_after)
        return self._write("-".join(["expired" if expired else "server", *names]).replace("*", "any"), issued)

    def client(self, name: str, *, until: datetime | None = None) -> CertificateFiles:
        """Issue a client's certificate with that common name."""
        issued = self._ca.issue_cert(f"{name}.clients.test", common_name=name, not_after=until)
        return self._write(f"client-{name}", issued)

    def server_context(
        self, *names: str, expired: bool = False, require_client: bool = False
    ) -> ssl.SSLContext:
        """Make what `Server(tls=...)` takes; with `require_client` only this authority's clients get in."""
        files = self.server(*names, expired=expired)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files.certificate, files.key)
        if require_client:
            context.load_verify_locations(self.ca_file)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _write(self, stem: str, issued: trustme.LeafCert) -> CertificateFiles:
        files = CertificateFiles(
            self._directory / f"{stem}.pem",
            self._directory / f"{stem}.key",
            self._directory / f"{stem}-combined.pem",
        )
        files.certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        files.key.write_bytes(issued.private_key_pem.bytes())
        files.key.chmod(0o600)
        issued.private_key_and_cert_chain_pem.write_to_path(str(files.combined))
        files.combined.chmod(0o600)
        return files


def expired_ca(path: Path) -> None:
    """Write the certificate of an authority whose time is over since 2020-01-31."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "An old authority")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2019, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2020, 1, 31, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
