"""How a broker is spoken to: protocol, user and authority go in; what every client of it must be given comes out."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import SecretStr

Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


@dataclass(frozen=True)
class Security:
    """`ca_file` holds the authorities that may have signed the broker's certificate; None: those that the system trusts."""

    protocol: Protocol = "PLAINTEXT"
    mechanism: Mechanism = "SCRAM-SHA-512"
    user: str = ""
    password: SecretStr = field(default=SecretStr(""))
    ca_file: Path | None = None

    @property
    def encrypts(self) -> bool:
        return self.protocol.endswith("SSL")

    @property
    def signs_in(self) -> bool:
        return self.protocol.startswith("SASL")

    def options(self) -> dict[str, Any]:
        """For each aiokafka client anew, so that a renewed `ca_file` is read. Raises OSError when it cannot be."""
        given: dict[str, Any] = {"security_protocol": self.protocol}
        if self.encrypts:
            given["ssl_context"] = trusting(self.ca_file)
        if self.signs_in:
            given |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.user,
                "sasl_plain_password": self.password.get_secret_value(),
            }
        return given


OPEN = Security()


def trusting(ca_file: Path | None) -> ssl.SSLContext:
    """A client's side of TLS, which compares the broker's name. Raises OSError (ssl.SSLError is one)."""
    return ssl.create_default_context(cafile=ca_file)
