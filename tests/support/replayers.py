"""`python -m replayers SECONDS ARGUMENTS...`: `leaf replay` with the test double's engine, `SECONDS` a batch.

It is not nice: on a busy machine the tests would wait for their turn.
"""

import sys

from workers import FlatEngine

from stream_workers.replay import cli


def main() -> None:
    seconds = float(sys.argv[1])
    cli.yield_processor = lambda: None
    cli.load_engine = lambda *_: FlatEngine(seconds=seconds)
    cli.app(args=sys.argv[2:], prog_name="leaf replay")


if __name__ == "__main__":
    main()
