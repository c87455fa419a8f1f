"""The process' settings: environment variables go in once, at the edge; one frozen object comes out."""

from functools import cached_property
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from runtime.kafka_security import Mechanism, Protocol, Security, trusting


class Settings(BaseSettings):
    """Names are those of the environment variables. Every one has a default that suits one machine."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, ignored_types=(cached_property,)
    )

    kafka_bootstrap: str = Field("127.0.0.1:9092", description="Brokers, `host:port[,host:port…]`.")
    kafka_security_protocol: Protocol = Field(
        "PLAINTEXT",
        description="Or `SSL`, `SASL_PLAINTEXT`, `SASL_SSL`: whether connections are encrypted, and sign in.",
    )
    kafka_sasl_mechanism: Mechanism = Field(
        "SCRAM-SHA-512",
        description="Or `SCRAM-SHA-256`, `PLAIN`: how they sign in, where the protocol says that they do.",
    )
    kafka_user: str = Field("", description="Who signs in to the brokers.")
    kafka_password: SecretStr = Field(SecretStr(""), description="With which password.")
    kafka_ca_file: Path | None = Field(
        None, description="Who may have signed the brokers' certificates, in PEM; empty: whom the system trusts."
    )
    topic_prefix: str = Field("", description="Before every topic and group: several suites then share one broker.")
    database_url: str = Field(
        "postgresql://postgres@127.0.0.1:5432/{service}",
        description="Where ledgers live; `{service}` is filled in, so that each service has a database of its own.",
    )

    secret_key: SecretStr = Field(
        SecretStr("insecure-for-one-machine"),
        description="Signs sessions and links in messages; the same in the suite.",
    )
    vault_keys: SecretStr = Field(
        SecretStr(""),
        description="`k1:<base64 of 32 bytes>[,k0:…]`: the first encrypts a service's cells, all decrypt.",
    )
    people_keys: SecretStr = Field(
        SecretStr(""), description="The same form, for names and addresses; every service of the suite has them."
    )

    public_url: str = Field("http://127.0.0.1:8080", description="What people type, without a slash at the end.")
    http_host: str = Field("127.0.0.1", description="Where HTTP is served; `0.0.0.0` for other machines.")
    http_port: int = Field(8080, ge=0, le=65535, description="Where HTTP is served; 0 takes a free one.")
    ops_host: str = Field(
        "127.0.0.1",
        description="Where health, readiness and metrics are told; `0.0.0.0` where who asks is elsewhere, inside one network.",
    )
    ops_port: int = Field(8081, ge=0, le=65535, description="Their port; 0 takes a free one.")
    upstreams: str = Field(
        "", description="`role=http://host:port,…`: where the router finds what is not in its process."
    )
    replica: str = Field(
        "0", description="This replica's stable name: a restarted one takes its partitions back at once."
    )

    minute_s: float = Field(60.0, gt=0, description="How long a minute of patience lasts; shorter in demos and tests.")
    storm_window_s: float = Field(
        180.0, gt=0, description="The window in which many alerts for one contact share mails."
    )

    pages_dir: str = Field(
        ".alarum/pages",
        description="Where public status pages are written and served from; shared by `statuspage.worker` and `.reader`.",
    )
    private_targets: str = Field(
        "",
        description="Networks inside which webhooks and connectors may call private addresses, `127.0.0.0/8,10.0.0.0/8`; empty: none.",
    )

    smtp_url: SecretStr = Field(SecretStr("smtp://127.0.0.1:1025"), description="May hold a user and a password.")
    mail_from: str = Field("Alarum <alarum@example.org>", description="Whom mails come from.")

    audit_every_s: float = Field(10.0, gt=0, description="How often each service looks at its books.")
    audit_grace_s: float = Field(
        60.0, gt=0, description="How far behind the readers' positions the books are closed: later, it is missing."
    )
    synthetic_every_s: float = Field(
        60.0, ge=0, description="How often the suite sends itself an event through the whole path; 0: never."
    )
    synthetic_url: str = Field(
        "", description="Where to: the gateway's base URL; empty: its upstream, or else the public address."
    )
    deadman_url: SecretStr = Field(
        SecretStr(""),
        description="Called every minute while the books balance and the suite's own event arrives; empty: nobody is.",
    )

    first_admin_email: str = Field("", description="With the next two: the first administrator of an empty suite.")
    first_admin_password: SecretStr = Field(SecretStr(""), description="What that person signs in with.")
    first_admin_key: SecretStr = Field(SecretStr(""), description="An API key of that person.")

    otlp_endpoint: str = Field(
        "", description="Base URL of an OTLP/HTTP receiver, `http://host:4318`; empty: no traces."
    )
    log_level: str = Field("INFO", description="The least that is logged.")
    log_format: Literal["json", "console"] = Field("json", description="`console` is for eyes.")

    @field_validator("public_url", "otlp_endpoint")
    @classmethod
    def _without_slash(cls, url: str) -> str:
        return url.rstrip("/")

    @field_validator("upstreams")
    @classmethod
    def _pairs(cls, pairs: str) -> str:
        _upstreams(pairs)
        return pairs

    @field_validator("kafka_ca_file")
    @classmethod
    def _authority(cls, file: Path | None) -> Path | None:
        try:
            trusting(file)
        except OSError as error:
            raise ValueError(f"{file} holds no certificates that can be read ({error})") from error
        return file

    @model_validator(mode="after")
    def _signs_in_as_somebody(self) -> Self:
        if self.kafka_security.signs_in and not (self.kafka_user and self.kafka_password.get_secret_value()):
            raise ValueError(
                f"kafka_security_protocol {self.kafka_security_protocol} needs KAFKA_USER and KAFKA_PASSWORD"
            )
        return self

    @field_validator("log_level")
    @classmethod
    def _level(cls, level: str) -> str:
        if level.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}:
            raise ValueError("must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL")
        return level.upper()

    @cached_property
    def upstream_urls(self) -> dict[str, str]:
        """Role -> base URL."""
        return _upstreams(self.upstreams)

    @property
    def bootstrap(self) -> list[str]:
        """The brokers, one by one: aiokafka and FastStream split no lists."""
        return [host.strip() for host in self.kafka_bootstrap.split(",") if host.strip()]

    @property
    def kafka_security(self) -> Security:
        """How the brokers are spoken to, for every client of them."""
        return Security(
            self.kafka_security_protocol,
            self.kafka_sasl_mechanism,
            self.kafka_user,
            self.kafka_password,
            self.kafka_ca_file,
        )

    def database_of(self, service: str) -> str:
        """The address of this service's own database."""
        return self.database_url.replace("{service}", service)


def _upstreams(pairs: str) -> dict[str, str]:
    named = [pair.strip().partition("=") for pair in pairs.split(",") if pair.strip()]
    for role, _, url in named:
        if not role or not url.startswith(("http://", "https://")):
            raise ValueError("must be `role=http://host:port`, separated by commas")
    return {role: url.rstrip("/") for role, _, url in named}
