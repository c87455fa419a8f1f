"""Our own Python processes as servers: the suite's roles and the mail sink, ready when their health page says so."""

import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx

from launcher.processes import free_port
from launcher.server import Server, read_port, write_port


class Service(Server):
    """A process that tells at an HTTP address on this machine whether it is ready."""

    stop_signal = signal.SIGTERM

    def __init__(
        self, data_dir: Path, name: str, command: list[str], environment: Mapping[str, str], ready_url: str
    ) -> None:
        self.name = name
        super().__init__(data_dir)
        self._words = command
        self._given = environment
        self._ready_url = ready_url
        self._said = ""

    def _allocate(self) -> None:
        self.port = (
            httpx.URL(self._ready_url).port or 0
        )  # chosen by whoever wrote the environment: others know it by now

    async def _prepare(self) -> None:
        return

    def _command(self) -> list[str | Path]:
        return [sys.executable, *self._words]

    def _environment(self) -> Mapping[str, str]:
        return self._given

    async def _answers(self) -> bool:
        try:
            async with httpx.AsyncClient(verify=False, trust_env=False, timeout=5) as http:  # noqa: S501 - plain HTTP on loopback
                answer = await http.get(self._ready_url)
        except httpx.TransportError:
            return False
        self._said = answer.text[:500]
        return answer.status_code == httpx.codes.OK

    def _excuse(self) -> str:
        return f" It said: {self._said}." if self._said else ""


class MailSink(Service):
    """The built-in mail server; `smtp_url` is for the suite, `url` for people."""

    def __init__(self, data_dir: Path) -> None:
        smtp_port, http_port = reserve(data_dir, "mailsink.smtp"), reserve(data_dir, "mailsink.http")
        self.smtp_url = f"smtp://127.0.0.1:{smtp_port}"
        self.url = f"http://127.0.0.1:{http_port}"
        words = ["-m", "launcher.mailsink", "--smtp-port", str(smtp_port), "--http-port", str(http_port)]
        words += ["--folder", str(data_dir / "mails")]
        super().__init__(data_dir, "mailsink", words, {}, f"{self.url}/healthz")


def reserve(data_dir: Path, name: str) -> int:
    """A port for this name: last time's where it is still free, so that links and bookmarks live on."""
    port = free_port(read_port(data_dir, name))
    write_port(data_dir, name, port)
    return port
