"""The secret of cookies that each start makes."""

import logging
import stat

from gtmdns.control.secret import FILE, start_secret


def test_it_stays_for_a_control_that_follows(tmp_path):
    secret = start_secret(tmp_path)

    assert len(secret) == 16
    assert start_secret(tmp_path) == secret
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_each_start_has_its_own(tmp_path):
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()

    first, second = map(start_secret, folders)

    assert first != second


def test_a_broken_file_is_replaced(tmp_path):
    (tmp_path / FILE).write_bytes(b"half")

    secret = start_secret(tmp_path)

    assert len(secret) == 16
    assert (tmp_path / FILE).read_bytes() == secret


def test_a_folder_that_cannot_be_written_is_told(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        secret = start_secret(tmp_path / "gone")

    assert len(secret) == 16
    assert "the secret of cookies cannot be kept" in caplog.text
    assert secret.hex() not in caplog.text
