"""`python -m replayers SECONDS|shipped ARGUMENTS...`: `leaf replay` with the test double's engine, `SECONDS` a batch,
or with the models as they are shipped.

It is not nice: on a busy machine the tests would wait for their turn.
"""

import sys

from workers import FlatEngine

from stream_workers.replay import cli


def main() -> None:
    cli.yield_processor = lambda: None
    if sys.argv[1] != "shipped":
        seconds = float(sys.argv[1])
        cli.load_engine = lambda *_: FlatEngine(seconds=seconds)
    cli.app(args=sys.argv[2:], prog_name="leaf replay")


if __name__ == "__main__":
    main()
