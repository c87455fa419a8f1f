"""What a row found, and how versions compare: the median of each figure over all rounds, side by side."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One number. `row` and `name` say of what; `aim` is what issue 6 asks for, in the same unit."""

    row: str
    name: str
    value: float | None
    unit: str = ""
    aim: str = ""


@dataclass(frozen=True)
class Found:
    """A figure of one version in one round; `others` is how many cores other programs took meanwhile."""

    version: str
    round: int
    others: float
    figure: Figure

    def as_json(self) -> dict[str, Any]:
        return {"version": self.version, "round": self.round, "others_cores": round(self.others, 2)} | asdict(
            self.figure
        )


def table(found: Sequence[Found], versions: Sequence[str]) -> str:
    """Markdown: one line for each figure; the ratio is the first version's to the second's."""
    compared = len(versions) == 2
    head = ["row", "figure", *versions, *(["ratio"] if compared else []), "aim", "others"]
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    for row, name in dict.fromkeys((one.figure.row, one.figure.name) for one in found):
        mine = [one for one in found if (one.figure.row, one.figure.name) == (row, name)]
        values = [_median([one.figure.value for one in mine if one.version == version]) for version in versions]
        unit, aim = mine[0].figure.unit, mine[0].figure.aim
        cells = [row, name, *(said(value, unit) for value in values), *([_ratio(values)] if compared else []), aim]
        lines.append(f"| {' | '.join(cells)} | {max(one.others for one in mine):.2f} |")
    return "\n".join(lines)


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def said(value: float | None, unit: str) -> str:
    """A value for people."""
    if value is None:
        return "–"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f} {unit}".strip()


def _ratio(values: Sequence[float | None]) -> str:
    mine, theirs = values
    return f"{mine / theirs:.2f}" if mine is not None and theirs else "–"
