"""One start and stop of the broker under the JVM's recorder; a cache of its classes comes out, and later starts take half.

An optimisation only: where it fails, brokers start as before.
"""

import asyncio
import os
import sys
import tempfile
from pathlib import Path

from launcher import jars
from launcher.native import Kafka, class_cache
from launcher.processes import end
from launcher.server import ServerFailed

PATIENCE_S = 120.0  # the JVM writes the cache while it ends


class _Recorded(Kafka):
    def __init__(self, data_dir: Path, target: Path) -> None:
        super().__init__(data_dir)
        self._target = target

    def _options(self) -> list[str]:
        return [f"-XX:AOTCacheOutput={self._target}"]

    async def stop(self) -> None:
        if self._identity is not None:
            await end(self._identity, self.stop_signal, PATIENCE_S)
            self._forget()


async def record() -> None:
    """Make the cache unless it is there; it appears by rename, whole. Raises ServerFailed."""
    target = class_cache(jars.ensure())
    if target.exists():
        return
    with tempfile.TemporaryDirectory(dir=jars.cache_folder(), prefix="warm-") as scratch:
        recorded = Path(scratch) / "kafka.aot"
        broker = _Recorded(Path(scratch), recorded)
        await broker.start()
        await broker.stop()
        if recorded.exists():
            os.replace(recorded, target)  # noqa: PTH105 - one rename, nothing to wait for


if __name__ == "__main__":
    try:
        asyncio.run(record())
    except (ServerFailed, OSError) as error:
        sys.stderr.write(f"no class cache for Kafka ({error}); it starts a little slower\n")
