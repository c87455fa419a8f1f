"""What docs/ takes from the runtime: the settings come in, their table in docs/operations.md comes out.

python -m runtime.documents     (`make docs`)
"""

import re
from pathlib import Path
from typing import Final

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from runtime.settings import Settings

PAGE: Final = Path("docs") / "operations.md"
BEGIN: Final = "<!-- settings: written by `make docs` -->"
END: Final = "<!-- end of settings -->"


def settings_table() -> str:
    """Every setting with its default and its sentence, as a Markdown table."""
    rows = [_row(name, field) for name, field in Settings.model_fields.items()]
    return "\n".join(["| variable | default | |", "| --- | --- | --- |", *rows]) + "\n"


def filled(page: str) -> str:
    """The page with the table as it is now between its marks."""
    pattern = f"{re.escape(BEGIN)}\n.*?{re.escape(END)}"
    replaced, count = re.subn(pattern, lambda _: f"{BEGIN}\n{settings_table()}{END}", page, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"{PAGE} needs {BEGIN} and {END}, once each")
    return replaced


def _row(name: str, field: FieldInfo) -> str:
    return f"| `{name.upper()}` | {_default(field)} | {field.description or ''} |"


def _default(field: FieldInfo) -> str:
    value = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
    return f"`{value}`" if value not in {"", None} else ""


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text()))
