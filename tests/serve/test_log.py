"""A worker's log: the queue, its bound, standard error in place of it, and lines that repeat."""

import logging
import os
import sys

from gtmdns.serve import log as log_module
from gtmdns.serve.log import QUEUE, ChannelHandler, Rarely, write_error


def record(text, level=logging.INFO):
    return logging.LogRecord("x", level, "x.py", 1, text, None, None)


def test_lines_wait_for_the_channel_and_wake_the_sender():
    woken = []
    handler = ChannelHandler(1)
    handler.attach(lambda: woken.append(True))

    handler.emit(record("one"))
    handler.emit(record("two", logging.ERROR))

    assert handler.take() == [("info", "one"), ("error", "two")]
    assert handler.take() == []
    assert len(woken) == 2


def test_a_full_queue_drops_and_counts():
    handler = ChannelHandler(1)
    handler.attach(lambda: None)
    for number in range(QUEUE + 3):
        handler.emit(record(str(number)))

    lines = handler.take()
    assert (len(lines), lines[0], handler.dropped) == (QUEUE, ("info", "0"), 3)


def test_without_a_channel_lines_go_to_standard_error(capfd):
    handler = ChannelHandler(7)
    handler.attach(lambda: None)
    handler.emit(record("waited"))
    handler.detach()
    handler.emit(record("came later"))

    lines = capfd.readouterr().err.splitlines()
    assert [line.partition(" ")[2] for line in lines] == [
        "info worker 7: waited",
        "info worker 7: came later",
    ]


def test_standard_error_that_is_not_read_blocks_nobody(monkeypatch):
    """A pipe that is full, and then one whose reader is gone: lines are lost, that is all."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        for _ in range(100):  # 100 times 4 KiB; a pipe holds 64 KiB
            write_error("x" * 5000)
        os.close(reading)
        write_error("nobody")
    write_error("closed")


def test_a_line_that_repeats_is_told_once_a_second_with_the_number_left_out(caplog):
    logger, rarely = logging.getLogger("test"), Rarely()
    for now in (10.0, 10.1, 10.9, 11.1, 13.0):
        rarely.warning(logger, "again", now)

    assert caplog.messages == ["again", "again (2 more like it before)", "again"]
    assert log_module.QUIET == 1.0
