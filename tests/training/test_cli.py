import pytest
from typer.testing import CliRunner

from training.cli import EXAMPLES, app


@pytest.mark.parametrize("step", EXAMPLES)
def test_every_step_explains_itself_with_an_example(step: str) -> None:
    shown = CliRunner().invoke(app, [step, "-h"], help_option_names=["-h", "--help"])
    assert shown.exit_code == 0
    assert f"python -m training {step}" in shown.stdout.partition("Example")[2]


def test_every_step_is_listed() -> None:
    shown = CliRunner().invoke(app, ["--help"]).stdout
    assert all(step in shown for step in EXAMPLES)
    assert len(EXAMPLES) == len(app.registered_commands)
