import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from ops.nginx import TEMPLATES, render
from stream_workers.engines import ENGINES

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def stage(name):
    """One stage of the Dockerfile."""
    return re.search(rf"(?ms)^FROM \S+ AS {name}$(.*?)(?=^FROM |\Z)", DOCKERFILE)[1]


def test_only_nginx_publishes_a_port_and_it_is_80():
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"nginx": ["80:8080"]}


def test_every_built_image_has_its_target():
    for service in SERVICES.values():
        if "build" in service:
            assert stage(service["build"]["target"])


def test_everything_that_serves_has_a_health_check_and_waits_for_what_it_needs():
    assert all("healthcheck" in service for name, service in SERVICES.items() if name != "topics")
    for name, service in SERVICES.items():
        for needed, how in service.get("depends_on", {}).items():
            finished = "service_completed_successfully"
            assert how["condition"] == (finished if needed == "topics" else "service_healthy"), (name, needed)


def test_no_service_of_ours_runs_as_root():
    for name in ("service", "nginx"):
        assert re.search(r"^USER (?!root)\w+$", stage(name), re.MULTILINE)
    for name in ("api", "worker", "sink"):
        assert f"FROM service AS {name}" in DOCKERFILE
        assert "USER" not in stage(name)


@pytest.mark.parametrize("name", ["api", "worker", "sink"])
def test_an_image_runs_the_command_that_make_run_uses(name):
    services = (ROOT / "ops" / "services.py").read_text()
    room = {"api": "producer_api", "worker": "stream_workers", "sink": "result_sink"}[name]
    assert f'CMD ["python", "-m", "{room}"]' in stage(name)
    assert f'[sys.executable, "-m", "{room}"]' in services


def pinned(lock):
    """The packages of one lock file that are heavy."""
    text = (ROOT / "locks" / f"{lock}.txt").read_text()
    return set(re.findall(r"^(tensorflow|keras|openvino|torch|matplotlib)==", text, re.MULTILINE))


def test_an_image_carries_no_engine_but_its_own():
    engines = {
        "api": set(),
        "sink": set(),
        "worker-openvino": {"openvino"},
        "worker-tensorflow": {"tensorflow", "keras"},
    }
    assert {lock: pinned(lock) for lock in engines} == engines


def test_the_workers_image_computes_with_the_engine_it_was_built_for():
    assert all((ROOT / "locks" / f"worker-{engine}.txt").is_file() for engine in ENGINES)
    assert "-r /locks/worker-${ENGINE}.txt" in stage("worker-packages")
    assert "LEAF_WORKER_ENGINE=${ENGINE}" in stage("worker")
    assert SERVICES["worker"]["build"]["args"] == {"ENGINE": "${LEAF_WORKER_ENGINE:-openvino}"}


def test_nginx_gets_every_variable_of_its_templates():
    given = set(re.findall(r"(LEAF_[A-Z_]+)=", stage("nginx")))
    for template in TEMPLATES.glob("*.template"):
        text = re.sub(r"(?m)^\s*#.*$", "", template.read_text())
        assert set(re.findall(r"\$\{(LEAF_[A-Z_]+)\}", text)) <= given


def test_rendering_leaves_nginx_own_variables_and_refuses_a_forgotten_one():
    assert render("listen ${LEAF_LISTEN}; return $status;", {"LEAF_LISTEN": "80"}) == "listen 80; return $status;"
    with pytest.raises(KeyError):
        render("${LEAF_FORGOTTEN}", {})


def test_locks_pin_with_hashes_and_name_no_address():
    for lock in (ROOT / "locks").glob("*.txt"):
        text = lock.read_text()
        pins = re.findall(r"(?m)^\S+==\S+.*\\$", text)
        assert len(pins) > 5
        assert text.count("--hash=sha256:") >= len(pins)
        assert not re.search(r"https?://|--index-url", text)


def test_the_compose_file_is_accepted():
    command = ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]
    if (
        not shutil.which(command[0])
        or subprocess.run([*command, "version"], capture_output=True, check=False).returncode
    ):
        pytest.skip(f"{' '.join(command)} does not run here")
    done = subprocess.run(
        [*command, "-f", str(ROOT / "docker-compose.yml"), "config", "-q"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_what_an_operator_must_be_able_to_set_reaches_the_containers():
    """A variable without a value is taken from the shell or from .env, and left out where neither has it."""
    for name, variables in {
        "topics": {"LEAF_PARTITIONS", "LEAF_REPLICATION", "LEAF_RETENTION_DAYS"},
        "api": {"LEAF_API_ADMIN_KEY", "LEAF_API_TASK_ID_KEY", "LEAF_SINK_RETENTION_DAYS", "LEAF_SINK_MINUTE_HOURS"},
        "sink": {"LEAF_SINK_RETENTION_DAYS", "LEAF_SINK_MINUTE_HOURS"},
        "nginx": {"LEAF_POST_RATE", "LEAF_POST_BURST"},
    }.items():
        given = SERVICES[name]["environment"]
        assert {variable for variable in variables if given.get(variable, "") is None} == variables


def test_nginx_hears_of_the_apis_new_address():
    upstream = re.search('LEAF_UPSTREAM="(.+?)"', stage("nginx"))[1]
    assert re.search(r"resolver \S+", upstream)
    assert " resolve " in upstream
