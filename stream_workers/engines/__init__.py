"""What computes a batch: one small interface, two implementations. Importing this loads neither of them."""

from pathlib import Path

from schemas.card import ModelCard
from schemas.errors import ConfigurationError
from stream_workers.engines.engine import Engine, Outputs
from stream_workers.engines.second_look import SecondLook

__all__ = ["ENGINES", "Engine", "Outputs", "load_engine"]

ENGINES = ("openvino", "tensorflow")


def load_engine(name: str, directory: Path, card: ModelCard, threads: int = 1) -> Engine:
    """The engine `name` for the model in `directory`, with `threads` threads, looking twice where its card says so.

    Raises ModelError, ConfigurationError.
    """
    engine = _load(name, directory, card, threads)
    return SecondLook(engine, card.calibration) if card.calibration.second_look else engine


def _load(name: str, directory: Path, card: ModelCard, threads: int) -> Engine:
    if name not in ENGINES:
        msg = f"there is no engine {name!r}"
        raise ConfigurationError(msg, f"Choose one of {', '.join(ENGINES)}.")
    try:  # only the one in use is imported
        if name == "openvino":
            from stream_workers.engines.openvino import OpenVinoEngine  # noqa: PLC0415

            return OpenVinoEngine(directory, card, threads)
        from stream_workers.engines.tensorflow import TensorFlowEngine  # noqa: PLC0415

        return TensorFlowEngine(directory, card, threads)
    except ModuleNotFoundError as error:
        msg = f"{error.name} is not installed here"
        raise ConfigurationError(msg, f"Build the worker's image with --build-arg ENGINE={name}.") from error
