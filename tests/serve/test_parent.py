"""The whole serving side as processes: parent, workers, and a fake control."""

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from gtmdns.serve import parent as parent_module
from gtmdns.serve.parent import CannotStart
from gtmdns.serve.sockets import CannotListen, bind
from tests.serve.support import (
    ROOT,
    Load,
    Server,
    address_in,
    ask,
    eventually,
    framed,
    query,
    running,
    server,
    unframed,
)


def ask_tcp(port, number=1):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        sock.sendall(framed(query(number=number)))
        (answer,) = unframed(sock.recv(4096))
    return answer


def test_every_worker_answers_over_udp_and_tcp(tmp_path):
    with server(tmp_path, workers=2) as gtm:
        assert {address_in(ask(gtm.port)) for _ in range(32)} == {"192.0.2.1"}
        assert {address_in(ask_tcp(gtm.port)) for _ in range(32)} == {"192.0.2.1"}
        assert set(gtm.worker_pids()) == {0, 1}
        assert "(UDP and TCP), 2 workers" in gtm.serving_line
    assert gtm.lines[-1].endswith("stopped by SIGTERM, after 64 queries")


def test_control_is_given_its_options(tmp_path):
    with server(tmp_path, workers=1, admin="127.0.0.1:0") as gtm:
        (_, _, options) = gtm.journaled("start")[0]
        runtime = Path(options["--runtime"])

        assert options["--workers"] == "1"
        assert options["--channel"] == str(runtime / "channel")
        assert runtime.stat().st_mode & 0o777 == 0o700
        inherited = os.readlink(f"/proc/{gtm.control_pid()}/fd/{options['--admin']}")
        assert inherited.startswith("socket:")
    assert not runtime.exists()


def test_a_killed_worker_is_replaced_and_loses_nothing_but_what_it_held(tmp_path):
    """T34: ten kills under load. A worker holds one packet at a time."""
    with server(tmp_path, workers=2) as gtm:
        with Load(gtm.port, rate=1500) as load:
            for kill in range(10):
                pid = gtm.worker_pids()[kill % 2]
                os.kill(pid, signal.SIGKILL)
                killed_at = time.monotonic()
                eventually(lambda: gtm.worker_pids()[kill % 2] != pid, "replaced")  # noqa: B023
                assert time.monotonic() - killed_at < 2
                sent = load.sent
                eventually(lambda: load.sent > sent + 200, "more load")  # noqa: B023
        eventually(lambda: gtm.journaled("line")[-1][1] == "restarts 10", "control knows")
        pids = gtm.pids()

    assert load.sent > 2000
    assert len(load.lost) <= 10, load.lost
    assert len(pids) == 4


def test_without_a_sibling_the_socket_keeps_what_comes(tmp_path):
    with server(tmp_path, workers=1) as gtm, Load(gtm.port, rate=1000) as load:
        pid = gtm.worker_pids()[0]
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: gtm.worker_pids()[0] != pid, "replaced")
        sent = load.sent
        eventually(lambda: load.sent > sent + 200, "more load")

    assert len(load.lost) <= 1, load.lost


def test_a_stopped_worker_is_covered_by_its_sibling(tmp_path):
    """T35: SIGSTOP; after the watchdog's second everything is answered, what waited included."""
    with server(tmp_path, workers=2) as gtm:
        pid = gtm.worker_pids()[0]
        with Load(gtm.port, rate=500) as load:
            os.kill(pid, signal.SIGSTOP)
            try:
                eventually(lambda: any("has said nothing" in line for line in gtm.lines), "noticed")
                noticed = load.sent
                eventually(lambda: load.sent > noticed + 500, "more load")
                eventually(
                    lambda: not (set(range(noticed + 50, noticed + 400)) - set(load.answers)),
                    "all answered by the sibling",
                )
            finally:
                os.kill(pid, signal.SIGCONT)
        assert running(pid)

    assert len(load.lost) <= 1, load.lost


def test_control_that_dies_is_restarted_and_no_answer_is_lost(tmp_path):
    with server(tmp_path, workers=2) as gtm:
        pid = gtm.control_pid()
        with Load(gtm.port, rate=1000) as load:
            os.kill(pid, signal.SIGKILL)
            eventually(lambda: gtm.control_pid() != pid, "restarted")
            eventually(
                lambda: {address_in(ask(gtm.port)) for _ in range(16)} == {"192.0.2.2"},
                "the new control's snapshot serves",
            )
        assert len(gtm.journaled("hello")) == 4
        assert set(gtm.worker_pids().values()) <= set(gtm.pids()), "the same workers"

    assert load.lost == []
    assert set(load.answers.values()) == {"192.0.2.1", "192.0.2.2"}


def test_sighup_reaches_control(tmp_path):
    with server(tmp_path, workers=2) as gtm:
        gtm.process.send_signal(signal.SIGHUP)
        eventually(
            lambda: {address_in(ask(gtm.port)) for _ in range(16)} == {"192.0.2.2"}, "reloaded"
        )
        assert len(gtm.journaled("start")) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_everything_in_order_and_soon(tmp_path, number):
    """T37: under load, exit status 0 in less than two seconds."""
    with server(tmp_path, workers=2) as gtm:
        (_, _, options) = gtm.journaled("start")[0]
        with Load(gtm.port, rate=1000) as load:
            eventually(lambda: len(load.answers) > 100, "answers")
            started = time.monotonic()
            gtm.process.send_signal(number)
            assert gtm.process.wait(10) == 0
            assert time.monotonic() - started < 2
            load.stop()
        assert gtm.pids() == []
        assert not Path(options["--runtime"]).exists()
        bind([f"127.0.0.1:{gtm.port}"], 1).close()
        assert not any("killing" in line for line in gtm.lines), gtm.lines
    assert f"stopped by {signal.Signals(number).name}, after " in gtm.lines[-1]


def test_the_workers_and_control_end_with_a_parent_that_is_killed(tmp_path):
    """T36: no orphan keeps the port."""
    with server(tmp_path, workers=2) as gtm:
        (_, _, options) = gtm.journaled("start")[0]
        gtm.process.kill()
        eventually(lambda: not gtm.pids(), "every process has ended")
        bind([f"127.0.0.1:{gtm.port}"], 1).close()
        assert not Path(options["--runtime"]).exists()


def test_a_process_that_is_stuck_for_good_is_killed_and_replaced(tmp_path):
    prelude = "import gtmdns.serve.supervisor as s; s.SILENT, s.HOPELESS = 0.5, 1.0"
    with server(tmp_path, workers=2, prelude=prelude) as gtm:
        stuck = [gtm.worker_pids()[0], gtm.control_pid()]
        for pid in stuck:
            os.kill(pid, signal.SIGSTOP)
        eventually(lambda: not any(map(running, stuck)), "killed")
        eventually(lambda: gtm.control_pid() not in stuck, "control replaced")
        eventually(lambda: gtm.worker_pids()[0] not in stuck, "worker replaced")
    assert gtm.lines[-1].endswith("stopped by SIGTERM, after at least 0 queries")


def test_who_does_not_end_on_sigterm_is_killed(tmp_path):
    with server(tmp_path, workers=2) as gtm:
        os.kill(gtm.control_pid(), signal.SIGSTOP)
        started = time.monotonic()
        gtm.process.send_signal(signal.SIGTERM)

        assert gtm.process.wait(10) == 0
        assert time.monotonic() - started < 2
        gtm.close()
        assert any("control does not end; killing it" in line for line in gtm.lines)


def refused(tmp_path, **settings):
    """Start a server that cannot start; return its exit status, its log, and the seconds taken."""
    started = time.monotonic()
    gtm = Server(tmp_path, **settings)
    try:
        status = gtm.process.wait(10)
    finally:
        gtm.close()
    return status, "\n".join(gtm.lines), time.monotonic() - started


def test_a_second_server_on_the_same_address_is_refused(tmp_path):
    second = tmp_path / "second"
    second.mkdir()
    with server(tmp_path, workers=1) as gtm:
        status, log, _ = refused(second, listen=(f"127.0.0.1:{gtm.port}",))

        assert status == 1
        assert f"cannot listen on 127.0.0.1:{gtm.port} (UDP): Address already in use" in log
        assert address_in(ask(gtm.port)) == "192.0.2.1"
    assert (second / "journal").read_text() == "", "control was not started"


def test_a_taken_address_of_the_api_is_refused(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        status, log, _ = refused(tmp_path, admin=taken)

    assert status == 1
    assert f"cannot listen on {taken} (TCP)" in log


def test_a_configuration_that_control_cannot_use_ends_the_server(tmp_path):
    """T32: exit status not 0 within two seconds, and nothing is left."""
    status, log, elapsed = refused(tmp_path, control_options=["--exit", "78"])

    assert status == 1
    assert "control cannot use the configuration" in log
    assert elapsed < 4


def test_control_that_cannot_use_a_later_configuration_is_only_restarted(tmp_path):
    """Status 78 ends the server at the first start alone: later the workers have a snapshot."""
    with server(tmp_path, workers=1) as gtm:
        (tmp_path / "exit-78").touch()
        os.kill(gtm.control_pid(), signal.SIGKILL)
        eventually(lambda: any("exit status 78" in line for line in gtm.lines), "refused")
        assert address_in(ask(gtm.port)) == "192.0.2.1"
        (tmp_path / "exit-78").unlink()
        eventually(lambda: len(gtm.journaled("start")) == 2, "restarted")


def test_the_log_can_be_json(tmp_path):
    with server(tmp_path, workers=1, log="json") as gtm:
        entry = json.loads(gtm.serving_line)

    assert set(entry) == {"time", "level", "process", "message"}
    assert entry["process"] == "parent"


def test_lines_below_the_level_are_left_out(capfd):
    for level in parent_module.LEVELS:
        parent_module._say("text", parent_module.LEVELS.index("warning"), level, "a line")

    assert [line.split()[1] for line in capfd.readouterr().err.splitlines()] == ["warning", "error"]


def test_an_unknown_user_is_refused(tmp_path):
    status, log, _ = refused(tmp_path, user="no-such-user-here")

    assert status == 1
    assert "server.user: there is no user 'no-such-user-here'" in log


SYSTEM_PYTHON = "/usr/bin/python3"


def nobody_can_run():
    """Return whether "nobody" can run the system's Python 3.11+ on this checkout."""
    if os.geteuid() != 0 or not Path(SYSTEM_PYTHON).exists():
        return False
    program = "import sys; sys.exit(sys.version_info < (3, 11)); import gtmdns"
    done = subprocess.run(
        [SYSTEM_PYTHON, "-c", program], cwd=ROOT, user="nobody", group="nogroup", extra_groups=[]
    )
    return done.returncode == 0


@pytest.mark.skipif(not nobody_can_run(), reason="needs root, and a system Python for nobody")
def test_root_is_given_up_for_good():
    folder = Path(tempfile.mkdtemp(prefix="gtmdns-test-"))
    try:
        (folder / "journal").touch(0o666)
        (folder / "journal").chmod(0o666)
        folder.chmod(0o777)
        nobody = pwd.getpwnam("nobody")
        with server(folder, workers=1, user="nobody", python=SYSTEM_PYTHON) as gtm:
            assert address_in(ask(gtm.port)) == "192.0.2.1"
            for pid in gtm.pids():
                status = Path(f"/proc/{pid}/status").read_text()
                fields = dict(line.split(":", 1) for line in status.splitlines())
                assert fields["Uid"].split() == [str(nobody.pw_uid)] * 4
                assert fields["Gid"].split() == [str(nobody.pw_gid)] * 4
                assert fields["Groups"].split() == [str(nobody.pw_gid)]
                assert int(fields["CapPrm"], 16) == int(fields["CapEff"], 16) == 0
    finally:
        shutil.rmtree(folder)


def test_without_root_the_user_is_left_aside_and_that_is_said(monkeypatch):
    said = []
    monkeypatch.setattr(os, "geteuid", lambda: 12345)

    parent_module._become("root", lambda level, text: said.append((level, text)))
    parent_module._become(None, lambda level, text: said.append((level, text)))

    assert said == [("warning", "not started as root, so server.user 'root' is left aside")]


def test_a_user_who_may_not_run_the_program_is_refused(tmp_path):
    program = tmp_path / "python"
    program.touch(0o600)

    parent_module._check_program(None, str(program))
    parent_module._check_program("nobody", sys.executable)
    with pytest.raises(CannotStart, match=rf"server.user: 'nobody' may not run {program}"):
        parent_module._check_program("nobody", str(program))


def test_a_runtime_folder_is_found_where_the_first_choice_is_of_no_use(monkeypatch):
    monkeypatch.setenv("TMPDIR", "/x" * 60)
    folder = parent_module._make_runtime()
    shutil.rmtree(folder)

    assert folder.startswith("/tmp/gtmdns-")

    def no_folder(prefix, dir):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(tempfile, "mkdtemp", no_folder)
    with pytest.raises(CannotStart, match=r"Read-only file system.*set TMPDIR"):
        parent_module._make_runtime()


def test_a_small_receive_buffer_is_told():
    class Bound:
        receive_buffer = 212_992

    said = []
    parent_module._advise(Bound(), lambda level, text: said.append(text))
    Bound.receive_buffer = 4 << 20
    parent_module._advise(Bound(), lambda level, text: said.append(text))

    assert len(said) == 1
    assert "208 KiB" in said[0]
    assert "net.core.rmem_max" in said[0]


def test_bad_addresses_end_the_start_with_status_1(capfd):
    settings = parent_module.ParentSettings(("nowhere",), 1)

    assert parent_module.run_parent(settings, [], []) == 1
    assert "'nowhere' is not an address" in capfd.readouterr().err
    with pytest.raises(CannotListen):
        bind(["nowhere"], 1)
