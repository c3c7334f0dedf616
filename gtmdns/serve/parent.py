"""The parent: opens the sockets, gives up its privileges, and keeps the other processes running.

It is small so that it has little to die of: it reads no packet, no configuration, and
nothing richer than a line from its children.
"""

import asyncio
import json
import os
import pwd
import resource
import shutil
import socket
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from .arguments import Arguments
from .child import CommandLine
from .log import write_error
from .sockets import RECEIVE_BUFFER, Bound, CannotListen, bind, listen_tcp
from .supervisor import BAD_CONFIGURATION as BAD_CONFIGURATION  # control's to return
from .supervisor import Say, Supervisor

MAX_DESCRIPTORS = 1 << 20  # asked for, where the hard limit allows
LEVELS = ("debug", "info", "warning", "error")
MAX_FOLDER = 80  # octets, so that the channel's path stays below the kernel's 108


@dataclass(frozen=True, slots=True)
class ParentSettings:
    """The part of the configuration that the parent needs; it never reads the file.

    listen:  addresses as "127.0.0.1:53" or "[::1]:53"; port 0 takes a free one
    workers: how many, 1 or more
    user:    whom to become, None: nobody else; without root it is left aside
    admin:   address of the HTTP API, opened here and handed to control; None: not opened
    log:     "text" or "json"
    level:   the lowest that is logged: "debug", "info", "warning" or "error"
    loaded:  descriptor of a file for control, with the load that was checked; None: there is none
    """

    listen: tuple[str, ...]
    workers: int
    user: str | None = None
    admin: str | None = None
    log: str = "text"
    level: str = "info"
    loaded: int | None = None


class CannotStart(Exception):
    """The server cannot start on this machine; the text says why."""


@dataclass(frozen=True, slots=True)
class Commands:
    """The command lines of the children, but for what changes with each start: the lifeline.

    Control gets these options added to its command:

        --channel PATH   the Unix socket to listen on for the workers
        --runtime DIR    a folder of mode 0700 for its state; where the parent was killed,
                         it is control's to remove
        --lifeline FD    see `lifeline`
        --workers N
        --listen ADDRESS ...  as they were bound
        --admin FD       the listening socket of the HTTP API, where the parent opened one
        --loaded FD      the load that was checked before the start, where there is one

    A worker gets the options of `arguments.Arguments`.
    """

    control_command: Sequence[str]
    worker_command: Sequence[str]
    bound: Bound
    admin: socket.socket | None
    runtime: str
    loaded: int | None = None

    @property
    def channel(self) -> str:
        return f"{self.runtime}/channel"

    def control(self, lifeline: int) -> CommandLine:
        words = [*self.control_command, "--channel", self.channel, "--runtime", self.runtime]
        words += ["--lifeline", str(lifeline), "--workers", str(len(self.bound.udp))]
        words += ["--listen", *self.bound.addresses]
        descriptors = {
            "--admin": None if self.admin is None else self.admin.fileno(),
            "--loaded": self.loaded,
        }
        given = {option: each for option, each in descriptors.items() if each is not None}
        words += [word for option, each in given.items() for word in (option, str(each))]
        return words, tuple(given.values())

    def worker(self, number: int, lifeline: int) -> CommandLine:
        udp = {k: [sock.fileno() for sock in group] for k, group in enumerate(self.bound.udp)}
        tcp = [sock.fileno() for sock in self.bound.tcp]
        arguments = Arguments(number, self.channel, lifeline, udp, tcp)
        return [*self.worker_command, *arguments.as_list()], arguments.descriptors


def run_parent(
    settings: ParentSettings, control_command: Sequence[str], worker_command: Sequence[str]
) -> int:
    """Serve until SIGTERM or SIGINT, and return the exit status: 1 where it cannot start."""
    say = partial(_say, settings.log, LEVELS.index(settings.level))
    bound, admin, runtime = Bound(), None, ""
    try:
        _raise_descriptor_limit()
        bound = bind(settings.listen, settings.workers)
        admin = listen_tcp(settings.admin) if settings.admin else None
        _become(settings.user, say)
        _check_program(settings.user, control_command[0])
        runtime = _make_runtime()
        commands = Commands(control_command, worker_command, bound, admin, runtime, settings.loaded)
        _advise(bound, say)
        return asyncio.run(_supervise(commands, say))
    except (CannotListen, CannotStart) as error:
        say("error", str(error))
        return 1
    finally:
        bound.close()
        if admin is not None:
            admin.close()
        if runtime:
            shutil.rmtree(runtime, ignore_errors=True)


async def _supervise(commands: Commands, say: Say) -> int:
    number = len(commands.bound.udp)
    addresses = ", ".join(commands.bound.addresses)
    return await Supervisor(
        commands.control,
        [partial(commands.worker, each) for each in range(number)],
        say,
        f"serving on {addresses} (UDP and TCP), {number} worker{'s' if number > 1 else ''}",
    ).run()


def _say(form: str, lowest: int, level: str, text: str) -> None:
    """Log one line to standard error; a log that is not read must not stop the parent."""
    if LEVELS.index(level) < lowest:
        return
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    if form == "json":
        entry = {"time": now, "level": level, "process": "parent", "message": text}
        write_error(json.dumps(entry))
    else:
        write_error(f"{now} {level} parent: {text}")


def _raise_descriptor_limit() -> None:
    """Raise the soft limit as far as that goes; the children inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MAX_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _become(user: str | None, say: Say) -> None:
    """Give up root for good. Raises CannotStart where there is no such user."""
    if user is None:
        return
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise CannotStart(f"server.user: there is no user {user!r} on this machine") from None
    if os.geteuid() != 0:
        if os.geteuid() != entry.pw_uid:
            say("warning", f"not started as root, so server.user {user!r} is left aside")
        return
    os.initgroups(user, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)  # real, effective and saved: there is no way back


def _check_program(user: str | None, program: str) -> None:
    """Raise CannotStart where `user`, whom we are now, may not run what every child is to run."""
    if user is not None and os.path.isabs(program) and not os.access(program, os.X_OK):
        raise CannotStart(
            f"server.user: {user!r} may not run {program}: "
            "install it where that user may read it, or leave server.user out"
        )


def _make_runtime() -> str:
    """Return a new folder that only this user can enter. Raises CannotStart."""
    reasons = []
    for folder in filter(None, (os.environ.get("TMPDIR"), "/tmp", "/dev/shm")):  # noqa: S108
        if len(os.fsencode(folder)) > MAX_FOLDER:
            reasons.append(f"{folder}: longer than {MAX_FOLDER} octets")
            continue
        try:
            return tempfile.mkdtemp(prefix="gtmdns-", dir=folder)
        except OSError as error:
            reasons.append(f"{folder}: {error.strerror}")
    raise CannotStart(f"no folder for the runtime state ({'; '.join(reasons)}): set TMPDIR to one")


def _advise(bound: Bound, say: Say) -> None:
    """Say what an operator should change on this machine."""
    granted = bound.receive_buffer
    if granted < RECEIVE_BUFFER:
        say(
            "info",
            f"the kernel grants {granted >> 10} KiB of UDP receive buffer in place of "
            f"{RECEIVE_BUFFER >> 10}: raise net.core.rmem_max",
        )
