"""`python -m training`."""

import sys

from rich.console import Console

from schemas.errors import LeafError
from training.cli import app

try:
    app(prog_name="python -m training")
except LeafError as error:
    Console(stderr=True, highlight=False).print(error.advice, soft_wrap=True)
    sys.exit(1)
