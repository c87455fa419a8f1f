"""Jira's document format (ADF, version 1): in come texts, out come documents that Jira takes.

A text node must not be empty, and must hold no line break.
"""

from typing import Any, Final

from channels.mail import one_line

LONGEST: Final = 30_000
LONGEST_HREF: Final = 2_000

Node = dict[str, Any]


def document(*blocks: Node) -> Node:
    return {"type": "doc", "version": 1, "content": list(blocks)}


def paragraphs(text: str) -> list[Node]:
    """Blank lines part paragraphs, others break lines."""
    blocks = [block.splitlines() for block in text[:LONGEST].replace("\r\n", "\n").split("\n\n")]
    return [{"type": "paragraph", "content": _lines(lines)} for lines in blocks if any(line.strip() for line in lines)]


def linked(text: str, href: str) -> Node:
    """A paragraph that is a link; without a text its address is shown."""
    there = one_line(href, LONGEST_HREF)
    mark = {"type": "link", "attrs": {"href": there}}
    return {"type": "paragraph", "content": [{"type": "text", "text": one_line(text, 250) or there, "marks": [mark]}]}


def _lines(lines: list[str]) -> list[Node]:
    nodes: list[Node] = []
    for line in lines:
        clean = one_line(line, LONGEST)
        if clean:
            nodes += [{"type": "hardBreak"}] if nodes else []
            nodes.append({"type": "text", "text": clean})
    return nodes
