"""The README's table of settings, made from the settings classes: `python -m ops.documents` writes it."""

import ast
import inspect
import re
import textwrap
from pathlib import Path
from typing import Final

from pydantic import AliasChoices
from pydantic_settings import BaseSettings

from ops.settings import StackSettings, TopicSettings
from producer_api.ingestion.settings import IngestSettings
from producer_api.settings import ApiSettings
from result_sink.settings import SinkSettings
from stream_workers.settings import WorkerSettings

README: Final = Path(__file__).parents[1] / "README.md"
CLASSES: Final[tuple[type[BaseSettings], ...]] = (
    StackSettings,
    TopicSettings,
    ApiSettings,
    WorkerSettings,
    SinkSettings,
    IngestSettings,
)
_SECTION: Final = re.compile(r"(<!-- settings: .*? -->\n).*?(<!-- /settings -->)", re.DOTALL)


def settings_table() -> str:
    """Markdown: variable, default, what it does; every variable once."""
    rows: dict[str, str] = {}
    for kind in CLASSES:
        prefix = kind.model_config.get("env_prefix", "")
        for name, field in kind.model_fields.items():
            alias = field.validation_alias
            variable = str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"{prefix}{name}".upper()
            default = "" if field.default_factory or field.default is None else f"`{_text(field.default)}`"
            rows.setdefault(variable, f"| `{variable}` | {default} | {_docstring(kind, name)} |")
    return "\n".join(["| variable | default | what it does |", "|---|---|---|", *rows.values()]) + "\n"


def with_settings(readme: str) -> str:
    """The README with the table in its place."""
    return _SECTION.sub(lambda found: found[1] + settings_table() + found[2], readme)


def _docstring(kind: type[BaseSettings], name: str) -> str:
    """The docstring under a field, wherever in the hierarchy it is declared."""
    for owner in kind.__mro__:
        if name in inspect.get_annotations(owner):
            body = ast.parse(textwrap.dedent(inspect.getsource(owner))).body[0]
            assert isinstance(body, ast.ClassDef)
            for field, text in zip(body.body, body.body[1:], strict=False):
                target = field.target if isinstance(field, ast.AnnAssign) else None
                if isinstance(target, ast.Name) and target.id == name and isinstance(text, ast.Expr):
                    return " ".join(str(ast.literal_eval(text.value)).split()).replace("|", "\\|")
    return ""


def _text(default: object) -> str:
    return default.as_posix() if isinstance(default, Path) else str(default)


if __name__ == "__main__":
    README.write_text(with_settings(README.read_text()))
