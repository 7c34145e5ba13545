"""What one check of `leaf doctor` found."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """`remedy` is empty where nothing is to be done."""

    check: str
    state: Literal["ok", "warning", "error"]
    says: str
    remedy: str = ""
