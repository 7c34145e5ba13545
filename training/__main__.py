"""`python -m training`."""

import sys

from rich.console import Console
from rich.markup import escape

from schemas.errors import LeafError
from training.cli import app

console = Console(stderr=True, highlight=False)
try:
    app(prog_name="python -m training", help_option_names=["-h", "--help"])
except LeafError as error:
    console.print(escape(error.advice), soft_wrap=True)
    sys.exit(1)
except OSError as error:
    if error.filename is None or error.strerror is None:
        raise
    console.print(escape(f"{error.filename2 or error.filename}: {error.strerror}."), soft_wrap=True)
    sys.exit(1)
