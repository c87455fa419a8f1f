"""The consumer that docs/events.md shows is run as it stands there: somebody else's program, on the suite's Kafka."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.suite import ROOT, Suite, eventually


def shown() -> str:
    """The Python block of the page, verbatim."""
    (block,) = re.findall(
        r"^```python\n(.*?)^```$", (ROOT / "docs" / "events.md").read_text(), re.DOTALL | re.MULTILINE
    )
    return str(block)


@contextmanager
def running(program: Path, bootstrap: str) -> Iterator[list[str]]:
    """Run it; what it has printed so far."""
    environment = {"PATH": os.environ["PATH"], "KAFKA_BOOTSTRAP": bootstrap}
    process = subprocess.Popen([sys.executable, program], env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    printed: list[str] = []
    listening = threading.Thread(target=lambda out=process.stdout: printed.extend(map(str.rstrip, out)))
    listening.start()
    try:
        yield printed
    finally:
        process.terminate()
        process.wait(timeout=20)
        listening.join()
        process.stdout.close()


def test_the_consumer_in_the_docs_sees_a_new_alert_and_why_somebody_is_woken(suite: Suite, tmp_path: Path) -> None:
    block = shown()
    assert len(block.splitlines()) <= 30
    program = tmp_path / "consumer.py"
    program.write_text(block)
    user = suite.user("consumed")
    policy = suite.policy("Consumed policy", {"users": [{"id": user["id"]}]})
    source = suite.source("Consumed", policy["id"])
    suite.event(source["integrationKey"], summary="Before it ran")
    with running(program, suite.settings["KAFKA_BOOTSTRAP"]) as printed:
        eventually(lambda: any("Before it ran" in line for line in printed), what="what was there before it ran")
        suite.event(source["integrationKey"], summary="While it runs")
        (alert,) = eventually(
            lambda: [found for found in suite.alerts(source["id"]) if found["summary"] == "While it runs"]
        )
        eventually(lambda: f"alert {alert['id']}: While it runs" in printed, what=f"the new alert in {printed}")
        reasons = eventually(
            lambda: [line for line in printed if line.startswith(f"alert {alert['id']}: ") and "While" not in line],
            what="who is woken for it, and why",
        )
    assert "Consumed policy" in reasons[0], reasons
