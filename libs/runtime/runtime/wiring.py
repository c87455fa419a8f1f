"""What every service's wiring does alike: settings come in, out go keys, the picture of people, and roles on real adapters."""

from collections.abc import Callable, Sequence

from events.topics import Topic
from runtime.access import Access
from runtime.broker_kafka import of_process
from runtime.clock import SystemClock
from runtime.ledger_postgres import PostgresLedger
from runtime.ports import Broker, Clock, Ledger
from runtime.role import Role
from runtime.settings import Settings
from runtime.shell import Shell
from runtime.topics import TopicCheck
from runtime.vault import Keyring

ShellOf = Callable[[Settings, Ledger, Broker, Clock], Shell]


def people_keys_of(settings: Settings) -> Keyring:
    """What names and sign-in addresses are sealed with. Raises ValueError that names the setting."""
    return Keyring.parse(settings.people_keys.get_secret_value(), "PEOPLE_KEYS")


def people_of(settings: Settings) -> Access:
    """A picture of people, empty so far. Raises ValueError that names the setting."""
    return Access(people_keys_of(settings))


def vault_of(settings: Settings) -> Keyring:
    """What a service's own cells are sealed with. Raises ValueError that names the setting."""
    return Keyring.parse(settings.vault_keys.get_secret_value(), "VAULT_KEYS")


def real(
    settings: Settings, service: str, shell_of: ShellOf, role_of: Callable[[Shell], Role], topics: Sequence[Topic]
) -> Role:
    """A role as it runs: on the process' Kafka, whose `topics` are checked first, and on the service's own database."""
    broker = of_process(settings)
    ledger = PostgresLedger(settings.database_of(service))
    role = role_of(shell_of(settings, ledger, broker, SystemClock()))
    return Role(role.name, [broker, ledger, TopicCheck(broker, topics), *role.parts], role.http)
