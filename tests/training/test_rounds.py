import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from workers import write_model

from schemas.card import ModelCard
from training.release import Release
from training.rounds import Rounds
from training.workshop import Workshop

BOTH = ["efficientnetb0", "resnet50"]
STEPS = 11
"""Prepare; train and export two networks; calibrate and publish two; report; clear away."""


class Killed(BaseException):
    pass


class Work:
    """Rounds whose steps only leave the files that the next ones look for, and stop before the one that is to kill."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.models, self.made = folder / "models", folder / "work" / "models"
        self.calls: list[tuple[Any, ...]] = []
        self.kill_before = -1
        self._folder = folder
        for step in (self.prepare, self.train, self.export, self.calibrate, self.report):
            monkeypatch.setattr(Workshop, step.__name__, self._killable(step))
        monkeypatch.setattr(Release, "publish", self._killable(Release.publish))
        monkeypatch.setattr(shutil, "rmtree", self._killable(shutil.rmtree, only=lambda path, **_: path.exists()))
        write_model(self.models, "efficientnetb0", "5")

    def run(self) -> None:
        Rounds(Workshop(self._folder / "leaves", self._folder / "work", self.models), 5, self._folder / "reports").run()

    def prepare(self, workshop: Workshop, *, again: bool) -> None:
        assert not again

    def train(self, workshop: Workshop, architecture: str, changes: Mapping[str, Any]) -> None:
        assert workshop.models == self.made
        assert not workshop.release(architecture, "1").made
        call = (architecture, dict(changes))
        if call not in self.calls:  # a run that came to its end returns at once
            self.calls.append(call)

    def export(self, workshop: Workshop, architecture: str, version: str, px: int) -> None:
        write_model(workshop.models, architecture, version, preprocessing={"px": px})

    def calibrate(self, workshop: Workshop, architecture: str, version: str) -> None:
        self.calls.append(("calibrate", architecture, version, self.served()))

    def report(self, workshop: Workshop, reports: Path) -> None:
        assert workshop.models == self.models
        self.calls.append(("report", reports))

    def served(self) -> list[str]:
        return sorted(f"{path.parent.name}@{path.name}" for path in self.models.glob("*/*"))

    def _killable(
        self, step: Callable[..., Any], only: Callable[..., bool] = lambda *_, **__: True
    ) -> Callable[..., Any]:
        def called(*arguments: Any, **options: Any) -> Any:
            if only(*arguments, **options):
                self.kill_before -= 1
                if self.kill_before == -1:
                    raise Killed
            return step(*arguments, **options)

        return called


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Work:
    return Work(tmp_path, monkeypatch)


def test_the_second_network_learns_from_the_first(work: Work) -> None:
    write_model(work.models, "resnet50", "4")
    work.run()
    assert [call for call in work.calls if call[0] in BOTH] == [
        ("efficientnetb0", {"steps": 5}),
        (
            "resnet50",
            {"init": str(work.models / "resnet50" / "4"), "teachers": ("efficientnetb0@1",), "steps": 5},
        ),
    ]
    assert [call for call in work.calls if call[0] == "calibrate"] == [
        ("calibrate", name, "1", ["efficientnetb0@5", "resnet50@4"]) for name in BOTH
    ], "workers see nothing before all is done"
    assert work.calls[-1][0] == "report"
    published = [ModelCard.load(work.models / name / "6") for name in BOTH]
    assert [(card.id, card.preprocessing.px) for card in published] == [("efficientnetb0@6", 160), ("resnet50@6", 128)]


def test_without_a_published_version_the_second_network_starts_from_random_weights(work: Work) -> None:
    work.run()
    (student,) = [call for call in work.calls if call[0] == "resnet50"]
    assert student[1]["init"] == "scratch"


@pytest.mark.parametrize("step", range(STEPS))
def test_killed_anywhere_it_trains_nothing_twice_and_takes_one_number(work: Work, step: int) -> None:
    work.kill_before = step
    with pytest.raises(Killed):
        work.run()
    if step < STEPS - 1:  # all but clearing away was done, and is what a run would start again
        work.run()
    assert len([call for call in work.calls if call[0] in BOTH]) == 2
    assert work.served() == ["efficientnetb0@5", "efficientnetb0@6", "resnet50@6"]
    assert not work.made.exists()


def test_a_run_after_the_last_one_starts_again(work: Work) -> None:
    work.kill_before = STEPS - 1
    with pytest.raises(Killed):
        work.run()
    work.run()
    new = [f"{name}@{number}" for name in BOTH for number in (6, 7)]
    assert work.served() == ["efficientnetb0@5", *new]
    assert [path.name for path in work.made.parent.iterdir()] == []
