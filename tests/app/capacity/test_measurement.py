"""Measuring a real service, by the command."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from app.__main__ import main
from app.capacity import measurement
from app.capacity.measurement import BATCHES, Effort, measure
from app.capacity.profile import load_profile
from app.commands.capacity import SAMPLE
from app.errors import StartError
from tests.support.artifacts import save_small_artifact
from tests.support.server_process import running

BRIEF = Effort(single=20, repeated=3, seconds=0.5)


def test_a_service_is_measured_and_planned_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, file = save_small_artifact(tmp_path / "lenet-test" / "1"), tmp_path / "profile.json"
    monkeypatch.setattr(measurement.measure, "__defaults__", (BRIEF, None, None))
    with running(model) as (_, address, _):
        command = ["capacity", "--rate", "500", "--p99", "60s", "--measure", address, "--save", str(file)]
        assert main([*command, "--cores", "7", "--json"]) == 0
    fleet = json.loads(capsys.readouterr().out)
    assert fleet["replicas"] >= 2
    profile = load_profile(file)
    assert profile.model == "lenet-test 1"
    assert set(profile.batch_seconds) == set(BATCHES)
    assert (profile.cores, profile.device) == (7, "cpu")
    assert profile.request_bytes == SAMPLE.stat().st_size
    assert main(["capacity", "--rate", "500", "--p99", "60s", "--profile", str(file)]) == 0
    assert "lenet-test 1 on" in capsys.readouterr().out


def test_no_batch_is_measured_that_is_larger_than_the_service_makes(tmp_path: Path) -> None:
    model = save_small_artifact(tmp_path / "lenet-test" / "1")
    with running(model, {"RESNET_SERVE_MAX_BATCH": "4"}) as (_, address, _):
        assert measure(address, SAMPLE, BRIEF).max_batch == 4


def test_results_from_a_cache_measure_nothing(tmp_path: Path) -> None:
    model = save_small_artifact(tmp_path / "lenet-test" / "1")
    with (
        running(model, {"RESNET_SERVE_CACHE_FILES": "10"}) as (_, address, _),
        pytest.raises(StartError, match="RESNET_SERVE_CACHE_FILES=0"),
    ):
        measure(address, SAMPLE, BRIEF)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("127.0.0.1:8000", "must be a URL such as"),
        ("http://127.0.0.1:port", "must be a URL such as"),
        ("http://[::1", "must be a URL such as"),
        ("http://127.0.0.1:9", "refused"),
    ],
)
def test_what_cannot_be_asked_is_told(url: str, message: str) -> None:
    with pytest.raises(StartError, match=message):
        measure(url, SAMPLE, BRIEF)


@pytest.mark.parametrize(
    "content", [b"<html>", b"[]", b"{}", b'{"timings_ms": 1}', b'{"timings_ms": {"total": "x"}}']
)
def test_another_program_is_no_service(content: bytes) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        answering = threading.Thread(target=server.handle_request)
        answering.start()
        with pytest.raises(StartError, match=r"^what answered is not this service$"):
            measure(f"http://127.0.0.1:{server.server_port}", SAMPLE, BRIEF)
        answering.join()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--rate", "many", "--p99", "1s"], "--rate: many is not a positive number"),
        (["--rate", "5", "--p99", "1.2.3s"], "--p99: 1.2.3s is not a time such as 50ms or 1s"),
        (["--rate", "5", "--p99", "1s", "--spare", "a"], "--spare: a is not 0, 1, 2, ..."),
        (["--rate", "5", "--p99", "1s", "--max-pods", "0"], "--max-pods: 0 is not 1, 2, 3, ..."),
        (
            ["--rate", "5", "--p99", "1s", "--ingress-nodes", "1.5"],
            "--ingress-nodes: 1.5 is not 1, 2, 3, ...",
        ),
        (["--rate", "0", "--p99", "1s"], "--rate: 0 is not a positive number"),
        (["--rate", "5", "--p99", "50"], "--p99: 50 is not a time such as 50ms or 1s"),
        (["--rate", "5", "--p99", "1s", "--spare", "-1"], "--spare: -1 is not 0, 1, 2, ..."),
        (["--rate", "5", "--p99", "1s", "--cores", "8"], "--cores is of what --measure measures"),
        (["--rate", "5", "--p99", "1s", "--save", "here"], "--save is of what --measure measures"),
    ],
)
def test_a_wrong_option_is_named(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["capacity", *options])
    assert message in capsys.readouterr().err


def test_what_is_counted_is_shown_as_a_whole_number(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--ingress-nodes", "4", "--max-pods", "2000"]
    assert main(["capacity", "--rate", "500", "--p99", "100ms", *options]) == 0
    out = capsys.readouterr().out
    assert "proxies of 4 ingress nodes" in out
    assert "pods of one cluster, 2,000\n" in out


def test_a_bound_that_no_replica_keeps_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["capacity", "--rate", "5", "--p99", "1ms"]) == 1
    assert "no number of replicas" in capsys.readouterr().err
