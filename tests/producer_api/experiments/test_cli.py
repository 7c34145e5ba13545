import json
import sys

import pytest

from ops import leaf

HALVES = ["--arm", "old=resnet50@1:0.5", "--arm", "new=efficientnetb0@1:0.5"]


@pytest.fixture
def run(topics, models, monkeypatch, capsys):
    """`leaf experiments ...`; gives its exit status, stdout and stderr."""
    monkeypatch.setenv("KAFKA", topics)
    monkeypatch.setenv("LEAF_API_MODELS_DIR", str(models))
    monkeypatch.setenv("LEAF_API_PUBLISH_SECONDS", "30")

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["leaf", "experiments", *arguments])
        with pytest.raises(SystemExit) as ended:
            leaf.main()
        out, err = capsys.readouterr()
        return ended.value.code, out, " ".join(err.split())

    return call


@pytest.mark.broker
def test_a_whole_life(run):
    assert run("start", "x", *HALVES, "--shadow", "next=resnet50@2", "--sticky", "camera")[0::2] == (0, "")
    assert run("set-weights", "x", "old=0.9", "new=0.1")[0] == 0
    code, out, _ = run("list")
    assert code == 0
    assert "old 90% resnet50@1" in out
    assert "next shadow resnet50@2" in out

    status, out, err = run("start", "y", *HALVES)
    assert (status, out) == (1, "")
    assert "x is running, and one experiment runs at a time. Stop it first: leaf experiments stop x" in err
    assert run("stop", "x")[0] == 0
    assert run("start", "y", *HALVES, "--salt", "pepper")[0] == 0

    found = json.loads(run("list", "--json")[1])
    assert [(one["name"], one["state"], one["in_force"]) for one in found] == [
        ("y", "running", True),
        ("x", "stopped", False),
    ]
    x = json.loads(run("show", "x", "--json")[1])
    assert [(version["version"], version["status"]) for version in x["versions"]] == [
        (1, "running"),
        (2, "running"),
        (3, "stopped"),
    ]
    assert [arm["weight"] for arm in x["versions"][1]["arms"]] == [0.9, 0.1]
    assert {version["sticky_key"] for version in x["versions"]} == {"camera"}


@pytest.mark.broker
def test_refusals_say_why_and_change_nothing(run):
    for arguments, reason in [
        (["start", "x"], "x is new and needs its arms"),
        (["start", "x", "--arm", "a=resnet50:1"], "'resnet50' is not of the form NAME=MODEL@VERSION"),
        (["start", "x", "--arm", "a=resnet50@1"], "'a=resnet50@1' is not of the form ARM=MODEL@VERSION:WEIGHT"),
        (["start", "x", "--arm", "a=resnet50@1:half"], "weight must be a number"),
        (["start", "x", "--arm", "a=resnet50@1:0.7"], "weights must sum to 1, these sum to 0.7"),
        (["start", "x", "--arm", "a=vgg@1:1"], "there is no model vgg@1"),
        (["start", "x", *HALVES, "--sticky", "moon"], "sticky_key must be 'image', 'uploader' or 'camera'"),
        (["start", "X", *HALVES], "must be up to 40 lower-case letters"),
        (["stop", "x"], "there is no experiment 'x'"),
        (["set-weights", "x", "a=1"], "there is no experiment 'x'"),
    ]:
        status, out, err = run(*arguments)
        assert (status, out) == (1, "")
        assert reason in err
    assert json.loads(run("list", "--json")[1]) == []


@pytest.mark.broker
def test_weights_name_the_arms_there_are(run):
    run("start", "x", *HALVES)
    for weights, reason in [(["other=1"], "x has no arm other. It has old, new."), (["old=0.6"], "these sum to 1.1")]:
        status, _, err = run("set-weights", "x", *weights)
        assert status == 1
        assert reason in err
    assert len(json.loads(run("show", "x", "--json")[1])["versions"]) == 1
