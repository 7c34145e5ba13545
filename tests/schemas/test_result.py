import examples
import pytest

from schemas.prediction import Failure
from schemas.result import Result, result_key

NOW_MS = int(examples.NOW.timestamp() * 1000)


def test_an_answer_is_told_in_plain_words():
    result = Result.of(examples.prediction(), NOW_MS + 250)
    assert (result.status, result.verdict, result.label) == ("done", "diagnosed", "late_blight")
    assert result.display_name == "Late blight"
    assert (result.model, result.version, result.experiment, result.arm) == ("resnet50", "1", "default", "resnet50")
    assert [top.label for top in result.top3] == ["late_blight", "early_blight", "leaf_mold"]
    assert [top.probability for top in result.top3] == pytest.approx([0.9, 0.05, 0.01])
    assert result.heatmap is not None
    assert result.heatmap.values == [0, 255]
    assert result.queued_at == examples.NOW
    assert result.done_at is not None
    assert (result.done_at - result.queued_at).total_seconds() == 0.25


def test_another_problem_is_named_as_none_of_the_ten():
    answer = examples.answer(verdict="other_tomato_problem", other=0.7)
    result = Result.of(examples.prediction(answer=answer), NOW_MS)
    assert result.display_name == "A tomato leaf, but none of the ten problems that this model knows"
    assert answer.shown == "other_tomato_problem"


def test_a_failure_says_why_and_names_no_label():
    failed = examples.prediction(answer=None, failure=Failure(kind="unprocessable", error="not a JPEG"))
    result = Result.of(failed, NOW_MS)
    assert (result.status, result.error, result.label, result.top3) == ("failed", "not a JPEG", None, [])


def test_replayed_results_have_keys_of_their_own():
    assert result_key("x") != result_key("x", "run")
    assert result_key("x", "a") != result_key("x", "b")
