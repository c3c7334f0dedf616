"""`gtmdns serve`: what it checks, and what it hands to the parent that it becomes."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from tests.cli.support import CONFIG, run


class Became(Exception):
    """In place of exec."""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "gtmdns.yaml"
    path.write_text(CONFIG)
    return path


def become(monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[dict[str, Any], list[str]]:
    """Return the settings of the parent and the command of control."""
    started: list[list[str]] = []

    def execv(program: str, arguments: list[str]) -> None:
        assert program == sys.executable
        started.append(arguments)
        raise Became

    monkeypatch.setattr(os, "execv", execv)
    with pytest.raises(Became):
        run("serve", *words)
    (arguments,) = started
    assert arguments[:3] == [sys.executable, "-m", "gtmdns.serve"]
    return json.loads(arguments[3]), arguments[4:]


def test_what_the_file_says(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, control = become(monkeypatch, str(config))

    assert settings.pop("loaded") is not None
    assert settings == {
        "listen": ["127.0.0.1:5399"],
        "workers": 2,
        "user": None,
        "admin": "127.0.0.1:8053",
        "log": "text",
        "level": "info",
    }
    assert control == [
        sys.executable, "-m", "gtmdns.control", str(config), "--log", "text", "--log-level", "info",
    ]  # fmt: skip


def test_options_override_the_file(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, _ = become(
        monkeypatch, str(config), "--listen", "127.0.0.1:0", "--listen", "[::1]:5300",
        "--admin", "127.0.0.1:9999", "--workers", "5",
    )  # fmt: skip

    assert settings["listen"] == ["127.0.0.1:0", "[::1]:5300"]
    assert (settings["admin"], settings["workers"]) == ("127.0.0.1:9999", 5)


def test_no_http_api(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert become(monkeypatch, str(config), "--admin", "none")[0]["admin"] is None


def test_auto_is_one_worker_for_each_processor_that_we_may_use(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text(CONFIG.replace("workers: 2", "workers: auto"))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3, 5})

    assert become(monkeypatch, str(config))[0]["workers"] == 3


def test_paths_are_those_of_the_configuration_wherever_it_is_started(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text(
        CONFIG.replace(
            "workers: 2", "user: nobody, state_dir: state, log: {format: json, level: debug}"
        )
    )
    monkeypatch.chdir(config.parent.parent)

    settings, control = become(monkeypatch, f"{config.parent.name}/gtmdns.yaml")

    assert settings["user"] == "nobody"
    assert (settings["log"], settings["level"]) == ("json", "debug")
    assert control[3] == str(config)
    assert control[4:] == [
        "--log", "json", "--log-level", "debug", "--state-dir", str(config.parent / "state"),
    ]  # fmt: skip


def test_the_state_folder_of_a_folder_is_inside_it(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text(CONFIG.replace("workers: 2", "state_dir: state"))

    _, control = become(monkeypatch, str(config.parent))

    assert control[-1] == str(config.parent / "state")


def test_a_bad_configuration_is_not_served(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "execv", lambda *_: pytest.fail("it was served"))
    config.write_text(CONFIG.replace("NS: ns.other.test.", "A: x"))

    result = run("serve", str(config))

    assert result.exit_code == 1
    assert "records.sub.A" in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("--listen", "nonsense"),
        ("--listen", "127.0.0.1"),
        ("--listen", "127.0.0.1:99999"),
        ("--listen", "::1:53"),
        ("--listen", "localhost:53"),
        ("--listen", "none"),
        ("--admin", "8053"),
        ("--workers", "0"),
        ("--workers", "257"),
        ("--workers", "auto"),
    ],
)
def test_wrong_options(
    config: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, str]
) -> None:
    monkeypatch.setattr(os, "execv", lambda *_: pytest.fail("it was served"))

    result = run("serve", str(config), *words)

    assert result.exit_code == 2
    assert words[0] in result.stderr


def test_warnings_are_left_to_the_log(
    config: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Control logs them with every load, in the format of the log; `check` prints them."""
    config.write_text(CONFIG.replace("ttl: 17", "ttl: 300"))
    told: list[str] = []
    monkeypatch.setattr(click, "echo", lambda text, **_: told.append(text))

    become(monkeypatch, str(config))

    assert told == []
    assert capfd.readouterr().err == ""
    run("check", str(config))
    assert any("300 s is longer than the 17 s" in text for text in told)
