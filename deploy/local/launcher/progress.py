"""What the supervisor says while it starts, as lines in a file that `make up` reads along."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["step", "ready", "failed"]


@dataclass(frozen=True)
class Line:
    kind: Kind
    text: str


class Progress:
    """Written by one supervisor, read by any number of `make up`."""

    def __init__(self, data_dir: Path) -> None:
        self._file = data_dir / "run" / "progress.jsonl"

    def clear(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text("")

    def write(self, kind: Kind, text: str) -> None:
        with self._file.open("a") as out:
            out.write(json.dumps(asdict(Line(kind, text))) + "\n")

    def lines(self) -> list[Line]:
        """What was said so far; a line that is being written is left for the next look."""
        if not self._file.exists():
            return []
        whole = self._file.read_text().rpartition("\n")[0]
        return [Line(**json.loads(line)) for line in whole.splitlines()]
