"""A person who accepts alerts through the API some seconds after they came, as patiently as people are."""

import threading
import time
from collections.abc import Mapping
from typing import Final

import httpx

from tests.chaos.script import Kind, Script
from tests.chaos.tail import Alert, Heard

AFTER_S: Final = 2.0
LOOK_S: Final = 0.25


class Responder:
    """Accepts every alert of the kind `ANSWERED` in a thread of its own; `answers`: alert -> instant of the yes."""

    def __init__(self, api: httpx.Client, script: Script, heard: Heard) -> None:
        self.answers: dict[int, float] = {}
        self._api, self._script, self._heard = api, script, heard
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="responder")

    def __enter__(self) -> "Responder":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def owes(self) -> bool:
        """Whether there is one that nobody accepted yet."""
        return bool(self._open(time.time()))

    def _run(self) -> None:
        while not self._over.wait(LOOK_S):
            for alert in self._open(time.time() - AFTER_S):
                self._accept(alert.id)

    def _open(self, before: float) -> list[Alert]:
        """Those that came before this instant and have no answer yet."""
        known: Mapping[int, Alert] = dict(self._heard.alerts)
        return [
            alert
            for alert in known.values()
            if alert.seen <= before
            and alert.id not in self.answers
            and self._script.kind(alert.source) is Kind.ANSWERED
        ]

    def _accept(self, alert: int) -> None:
        try:
            answer = self._api.put(f"/api/alerts/{alert}/accept", timeout=15)
        except httpx.TransportError:
            return
        if answer.status_code == 200:
            self.answers[alert] = time.time()
