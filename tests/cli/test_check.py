"""`gtmdns check`: 0 with a summary, or 1 with every mistake at its place."""

from pathlib import Path

from tests.cli.support import CONFIG, run


def test_a_good_configuration(tmp_path: Path) -> None:
    path = tmp_path / "gtmdns.yaml"
    path.write_text(CONFIG.replace(', "2001:db8::9"', ""))

    result = run("check", str(path))

    assert result.exit_code == 0
    assert result.stdout == f"{path}: good: zones: 1, names: 7, pools: 3, probes: 2\n"
    assert result.stderr == ""


def test_every_mistake_of_the_stage_is_told(tmp_path: Path) -> None:
    path = tmp_path / "gtmdns.yaml"
    path.write_text(CONFIG.replace("max_answers: 1", "max_answer: 1").replace("ttl: 17", "ttl: -1"))

    result = run("check", str(path))

    assert result.exit_code == 1
    assert result.stdout == ""
    first, second, summary = result.stderr.splitlines()
    assert first.startswith(f"{path}:9:")
    assert 'pools.home.max_answer: unknown key; did you mean "max_answers"?' in first
    assert second.startswith(f"{path}:17:")
    assert "records.www.ttl: " in second
    assert summary == f"2 mistakes in {path}"


def test_mistakes_in_records_are_told_too(tmp_path: Path) -> None:
    """`check` is the real load: it compiles what it has read."""
    path = tmp_path / "gtmdns.yaml"
    path.write_text(CONFIG.replace("NS: ns.other.test.", "A: 192.0.2.999"))

    result = run("check", str(path))

    assert result.exit_code == 1
    assert "records.sub.A: '192.0.2.999' is no A record" in result.stderr
    assert result.stderr.endswith(f"1 mistake in {path}\n")


def test_warnings_do_not_make_it_bad(tmp_path: Path) -> None:
    path = tmp_path / "gtmdns.yaml"
    path.write_text(CONFIG.replace("ttl: 17", "ttl: 300"))

    result = run("check", str(path))

    assert result.exit_code == 0
    (warning,) = [line for line in result.stderr.splitlines() if ".ttl: " in line]
    assert warning.startswith(f"warning: {path}:17:")
    assert "300 s is longer than the 17 s in which a failure is noticed" in warning


def test_a_folder_and_its_files(tmp_path: Path) -> None:
    head, zones = CONFIG.split("zones:")
    (tmp_path / "10-pools.yaml").write_text(head)
    (tmp_path / "20-zones.yaml").write_text("zones:" + zones.replace("ttl: 17", "ttl: x"))

    result = run("check", str(tmp_path))

    assert result.exit_code == 1
    assert result.stderr.startswith(f"{tmp_path}/20-zones.yaml:6:")


def test_what_is_not_there(tmp_path: Path) -> None:
    result = run("check", str(tmp_path / "nowhere.yaml"))

    assert result.exit_code == 1
    assert f"{tmp_path}/nowhere.yaml:1:1: cannot be read: no such file" in result.stderr
