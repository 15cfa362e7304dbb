"""Certificates for tests, as an authority of our own signs them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = timedelta(days=1)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


@dataclass
class TestAuthority:
    """An authority; its own certificate is `folder/ca.pem`."""

    __test__ = False

    folder: Path
    _key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    @property
    def file(self) -> Path:
        """The certificate to trust."""
        return self.folder / "ca.pem"

    def __post_init__(self) -> None:
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        made = self._builder("authority", self._key).add_extension(constraints, critical=True)
        self._write(made, self.file)

    def issue(self, name: str, *, days: int = 30, number: str = "") -> tuple[Path, Path]:
        """Sign a certificate for 127.0.0.1; return its file and that of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate, secret = (self.folder / f"{name}{number}.{end}" for end in ("pem", "key"))
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
        made = self._builder(name, key, days).add_extension(names, critical=False)
        self._write(made, certificate)
        secret.write_bytes(_pem(key))
        secret.chmod(0o600)
        return certificate, secret

    def _builder(
        self, name: str, key: ec.EllipticCurvePrivateKey, days: int = 30
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(_name("authority"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 60 * _DAY)
            .not_valid_after(now + days * _DAY)
        )

    def _write(self, made: x509.CertificateBuilder, file: Path) -> None:
        signed = made.sign(self._key, hashes.SHA256())
        file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
