"""A door to the event stream for other machines: a listener with TLS and a password beside the broker's own on loopback.

Whoever comes through it reads the public topics and nothing else: `python -m launcher.external USER` grants that on the
broker at KAFKA_BOOTSTRAP. Broker settings come out of `Listener`, grants go in through `grant`.
"""

import argparse
import asyncio
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, NoError, for_code
from aiokafka.protocol.admin import CreateAclsRequest, DescribeAclsRequest

from events.topics import TOPICS
from runtime.settings import Settings

NAME = "EXTERNAL"
TOPIC, GROUP = 2, 3  # Kafka's numbers for what is granted on …
LITERAL, PREFIXED = 3, 4  # … whether a name is whole or how names begin …
READ = 3  # … what may be done (who may read may describe) …
ALLOW = 3  # … and that it is allowed
ANY = 1  # in a question
KNOWN_WITHIN_S, LOOK_S = 30.0, 0.1

# The broker's own, the controller and our services come over PLAINTEXT, on loopback or inside one network: as nobody.
OWN = "User:ANONYMOUS"


class WrongListener(Exception):
    """A wish that cannot be followed; the message names the setting and what it may be."""


@dataclass(frozen=True)
class Listener:
    """`host` and `port` are what others type, and `certificate` names that host. `certificate` is one PEM file: the
    unencrypted private key (PKCS #8), then the certificate and its chain."""

    host: str
    port: int
    certificate: str
    user: str
    password: str = field(repr=False)

    def settings(self, listens: str) -> dict[str, str]:
        """What the broker is told beside its own settings; `listens` is where it binds, `host:port`, empty host: all."""
        prefix = f"listener.name.{NAME.lower()}"
        login = "org.apache.kafka.common.security.plain.PlainLoginModule"
        return {
            "listeners": f"{NAME}://{listens}",
            "advertised.listeners": f"{NAME}://{self.host}:{self.port}",
            "listener.security.protocol.map": f"{NAME}:SASL_SSL",
            f"{prefix}.ssl.keystore.type": "PEM",
            f"{prefix}.ssl.keystore.location": self.certificate,
            f"{prefix}.sasl.enabled.mechanisms": "PLAIN",
            f"{prefix}.plain.sasl.jaas.config": f'{login} required user_{self.user}="{self.password}";',
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": OWN,
        }


def together(own: Mapping[str, str], door: Mapping[str, str]) -> dict[str, str]:
    """Two sets of broker settings as one; lists of listeners are joined."""
    lists = {"listeners", "advertised.listeners", "listener.security.protocol.map"}
    return {**own, **door, **{name: f"{own[name]},{door[name]}" for name in lists & own.keys() & door.keys()}}


def listener_of(environment: Mapping[str, str]) -> Listener | None:
    """EXTERNAL_LISTENER=host:port with EXTERNAL_CERTIFICATE, EXTERNAL_USER and EXTERNAL_PASSWORD; None when not wished."""
    address = environment.get("EXTERNAL_LISTENER", "")
    if not address:
        return None
    host, _, port = address.rpartition(":")
    if not re.fullmatch(r"[\w.-]+", host) or not port.isdecimal() or not 1 <= int(port) <= 65535:
        raise WrongListener(f"EXTERNAL_LISTENER is «{address}»; it must be host:port, as others reach it.")
    certificate = Path(environment.get("EXTERNAL_CERTIFICATE", "")).expanduser().resolve()
    _check_certificate(certificate)
    user, password = environment.get("EXTERNAL_USER", ""), environment.get("EXTERNAL_PASSWORD", "")
    check_user(user)
    if not re.fullmatch(r"[!#-\[\]-~]{12,}", password):
        raise WrongListener(
            'EXTERNAL_PASSWORD must have at least 12 printable ASCII characters, none of them a space, " or \\.'
        )
    return Listener(host, int(port), str(certificate), user, password)


def check_user(user: str) -> None:
    """Raises WrongListener for a name that Kafka's settings cannot hold."""
    if not re.fullmatch(r"[a-z][a-z0-9]*", user):
        raise WrongListener(f"EXTERNAL_USER is «{user}»; it must be a word of a-z and 0-9 that begins with a letter.")


def _check_certificate(file: Path) -> None:
    try:
        text = file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise WrongListener(f"EXTERNAL_CERTIFICATE={file} cannot be read ({error}).") from error
    if "-----BEGIN PRIVATE KEY-----" not in text or "-----BEGIN CERTIFICATE-----" not in text:
        raise WrongListener(
            f"EXTERNAL_CERTIFICATE={file} must hold an unencrypted private key (PKCS #8) and its certificates, in PEM."
        )


async def grant(bootstrap: str, user: str) -> None:
    """Let this user read every public topic, in groups whose names begin with `<user>-`. Again is no harm.

    Raises KafkaError. Our own groups have a dot where theirs have the dash, so that nobody outside can join them.
    Returns when the broker goes by it: the controller, which takes it, is a moment ahead.
    """
    wanted = set(_granted(user))
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await admin.start()
        for kind, name, pattern in wanted:
            request = CreateAclsRequest(kind, name, pattern, f"User:{user}", "*", READ, ALLOW)
            _raise_refusal(await admin._send_to_controller(request))  # noqa: SLF001 -- aiokafka has no method for it
        async with asyncio.timeout(KNOWN_WITHIN_S):
            while not wanted <= await _known(admin, user):
                await asyncio.sleep(LOOK_S)
    except TimeoutError:
        raise KafkaError(f"the broker did not learn within {KNOWN_WITHIN_S:g} s what was granted") from None
    finally:
        await admin.close()


async def _known(admin: AIOKafkaAdminClient, user: str) -> set[tuple[int, str, int]]:
    question = DescribeAclsRequest(ANY, None, ANY, f"User:{user}", None, ANY, ANY)
    answer = await admin._send_request(question)  # noqa: SLF001
    if for_code(answer.error_code) is not NoError:
        raise for_code(answer.error_code)(answer.error_message)
    return {(kind, name, pattern) for kind, name, pattern, _ in answer.resources}


def _granted(user: str) -> Iterator[tuple[int, str, int]]:
    yield from ((TOPIC, topic.name, LITERAL) for topic in TOPICS if topic.public)
    yield GROUP, f"{user}-", PREFIXED


def _raise_refusal(answer: Any) -> None:
    for code, message in answer.creation_responses:
        if for_code(code) is not NoError:
            raise for_code(code)(message)


def main(arguments: list[str]) -> int:
    options = argparse.ArgumentParser(prog="python -m launcher.external", description=__doc__)
    options.add_argument("user")
    user: str = options.parse_args(arguments).user
    try:
        check_user(user)
        asyncio.run(grant(Settings().kafka_bootstrap, user))
    except (WrongListener, KafkaError) as error:
        sys.stderr.write(f"alarum: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
