"""Folders, includes, merging, and files that cannot be read."""

import os
import time

import pytest

from gtmdns.config import merge
from gtmdns.config.merge import Sources
from gtmdns.config.yaml import plain


def sources(path):
    result = Sources(path)
    result.read()
    return result


def write(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def problems(result, folder):
    return [str(mistake).replace(f"{folder}{os.sep}", "") for mistake in result.mistakes]


def test_a_folder_merges_mappings_at_every_depth(tmp_path):
    write(
        tmp_path,
        {
            "b.yaml": "zones: {z: {records: {b: {A: 1}}}}\nlist: [1]\n",
            "a.yaml": "zones: {z: {records: {a: {A: 1}}, ttl: 5}}\n",
            "notes.txt": "not: [yaml",
            ".hidden.yaml": "not: [yaml",
            "sub/c.yaml": "c: 1",
        },
    )

    result = sources(tmp_path)

    assert result.mistakes == []
    assert plain(result.tree) == {
        "zones": {"z": {"records": {"a": {"A": 1}, "b": {"A": 1}}, "ttl": 5}},
        "list": [1],
    }
    assert result.files == (tmp_path, tmp_path / "a.yaml", tmp_path / "b.yaml")
    assert result.base == tmp_path


def test_what_is_set_twice_names_both_places(tmp_path):
    write(
        tmp_path,
        {
            "a.yaml": "leaf: 1\nlist: [1]\nboth: {x: 1}\nmap: {x: {y: 1}}\n",
            "b.yaml": "leaf: 1\nlist: [2]\nboth: 5\nmap:\n  x: {z: 1, y: 2}\n",
        },
    )

    assert problems(sources(tmp_path), tmp_path) == [
        "b.yaml:1:1: leaf: set twice; first set at a.yaml:1:1",
        "b.yaml:2:1: list: set twice; first set at a.yaml:2:1",
        "b.yaml:3:1: both: set twice; first set at a.yaml:3:1",
        "b.yaml:5:13: map.x.y: set twice; first set at a.yaml:4:11",
    ]


def test_a_section_with_nothing_in_it_merges(tmp_path):
    write(tmp_path, {"a.yaml": "a:\nb: {x: 1}\n", "b.yaml": "a: {y: 1}\nb:\n"})

    result = sources(tmp_path)

    assert result.mistakes == []
    assert plain(result.tree) == {"a": {"y": 1}, "b": {"x": 1}}


def test_merging_does_not_reach_through_aliases(tmp_path):
    write(
        tmp_path,
        {
            "a.yaml": "m: &m {k: {l: 1}}\nn: *m\n",
            "b.yaml": "m: {k: {o: 2}}\n",
            "c.yaml": "m: {k: {p: 3}}\n",
        },
    )

    result = sources(tmp_path)

    assert plain(result.tree) == {"m": {"k": {"l": 1, "o": 2, "p": 3}}, "n": {"k": {"l": 1}}}


def test_mistakes_of_all_files_come_together(tmp_path):
    write(tmp_path, {"a.yaml": "a: [", "b.yaml": "b: 1\nb: 2", "c.yaml": "", "d.yaml": "- x"})

    mistakes = sources(tmp_path).mistakes

    assert [(m.file.rsplit(os.sep)[-1], m.problem[:9]) for m in mistakes] == [
        ("a.yaml", "not YAML:"),
        ("b.yaml", "set twice"),
        ("c.yaml", "empty; ex"),
        ("d.yaml", "expected "),
    ]


def test_a_config_map_is_read_once(tmp_path):
    """Kubernetes mounts `x.yaml -> ..data/x.yaml` and `..data -> ..2024_01`."""
    write(tmp_path, {"..2024_01/a.yaml": "a: 1", "..2024_01/b.yaml": "b: 1"})
    (tmp_path / "..data").symlink_to("..2024_01")
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).symlink_to(f"..data/{name}")

    result = sources(tmp_path)

    assert result.mistakes == []
    assert plain(result.tree) == {"a": 1, "b": 1}
    assert result.files == (tmp_path, tmp_path / "a.yaml", tmp_path / "b.yaml")


def test_includes_are_relative_to_the_file_that_has_them(tmp_path):
    write(
        tmp_path,
        {
            "main.yaml": "include: [zones/*.yaml]\na: 1\n",
            "zones/one.yaml": "include: [more/three.yaml, ../e*.yaml]\nb: 1\n",
            "zones/two.yaml": "c: 1\n",
            "zones/.four.yaml": "d: [",
            "zones/more/three.yaml": "e: 1\n",
            "extra.yaml": "f: 1\n",
        },
    )

    result = sources(tmp_path / "main.yaml")

    assert result.mistakes == []
    assert plain(result.tree) == {"a": 1, "b": 1, "c": 1, "e": 1, "f": 1}
    assert {tmp_path / "main.yaml", tmp_path / "zones", tmp_path / "zones/two.yaml"} <= set(
        result.files
    )
    assert result.base == tmp_path


def test_a_file_named_twice_is_read_once(tmp_path):
    write(
        tmp_path,
        {
            "a.yaml": "include: [c.yaml, '*.yaml']\na: 1",
            "b.yaml": "include: [c.yaml]\nb: 1",
            "c.yaml": "c: 1",
        },
    )

    result = sources(tmp_path)

    assert result.mistakes == []
    assert plain(result.tree) == {"a": 1, "b": 1, "c": 1}


def test_presets_are_included_by_name(tmp_path):
    text = "include: ['builtin:china', builtin:isps]\nregions: {home: {countries: [CN]}}\n"
    write(tmp_path, {"a.yaml": text, "b.yaml": "include: ['builtin:china']\n"})

    result = sources(tmp_path)

    assert result.mistakes == []
    regions = plain(result.tree)["regions"]
    assert {"home", "east-china", "telecom"} <= regions.keys()
    assert [path.name for path in result.files] == [
        tmp_path.name, "a.yaml", "china.yaml", "isps.yaml", "b.yaml",
    ]  # fmt: skip
    assert result.base == tmp_path


def test_a_region_of_a_preset_set_again_names_both_places(tmp_path):
    write(tmp_path, {"a.yaml": "include: ['builtin:isps']\nregions: {telecom: {isps: [x]}}\n"})

    (problem,) = problems(sources(tmp_path / "a.yaml"), tmp_path)

    assert "isps.yaml" in problem
    assert "regions.telecom.isps: set twice; first set at a.yaml:2:21" in problem


def test_a_loop_of_includes_is_a_mistake(tmp_path):
    write(tmp_path, {"a.yaml": "include: [b.yaml]", "b.yaml": "include:\n- a.yaml\n"})

    assert problems(sources(tmp_path / "a.yaml"), tmp_path) == [
        "b.yaml:2:3: include[0]: a file includes itself: a.yaml -> b.yaml -> a.yaml"
    ]


# fmt: off
BAD_INCLUDES = [
    ("include: x.yaml",      ["main.yaml:1:10: include: expected a list of file names or globs"]),
    ("include: {a: 1}",      ["main.yaml:1:10: include: expected a list of file names or globs"]),
    ("include: [5]",         ["main.yaml:1:11: include[0]: expected a file name or a glob, such as zones/*.yaml"]),
    ("include: ['']",        ["main.yaml:1:11: include[0]: expected a file name or a glob, such as zones/*.yaml"]),
    ("include: [none.yaml]", ['main.yaml:1:11: include[0]: "none.yaml" matches no file']),
    ("include: ['n*']",      ['main.yaml:1:11: include[0]: "n*" matches no file']),
    ("include: [main.yaml]", ["main.yaml:1:11: include[0]: a file includes itself: main.yaml -> main.yaml"]),
    ("include: [builtin:chna]", ['main.yaml:1:11: include[0]: no preset "chna"; did you mean "china"?']),
    ("include: ['builtin:../china']", ['main.yaml:1:11: include[0]: no preset "../china"; did you mean "china"?']),
    ("include: ['builtin:']", ['main.yaml:1:11: include[0]: no preset ""; there are china, continents, isps']),
    ("include: ['*.yaml']",  ['main.yaml:1:11: include[0]: "*.yaml" matches no file']),
]
# fmt: on


@pytest.mark.parametrize(("text", "expected"), BAD_INCLUDES, ids=[row[0] for row in BAD_INCLUDES])
def test_include_mistakes(tmp_path, text, expected):
    write(tmp_path, {"main.yaml": text})

    assert problems(sources(tmp_path / "main.yaml"), tmp_path) == expected


def test_an_include_that_matches_thousands_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(merge, "MAX_FILES", 3)
    write(tmp_path, {"main.yaml": "include: ['x*']"} | {f"x{n}": "a: 1" for n in range(5)})

    assert problems(sources(tmp_path / "main.yaml"), tmp_path) == [
        "main.yaml:1:11: include[0]: matches more than 3 files"
    ]


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "empty").mkdir()

    for name, problem in [
        ("none.yaml", "none.yaml:1:1: cannot be read: no such file or directory"),
        ("loop.yaml", "loop.yaml:1:1: cannot be read: too many levels of symbolic links"),
        ("pipe.yaml", "pipe.yaml:1:1: not a regular file"),
        ("empty", "empty:1:1: a folder without a *.yaml file"),
        ("a\0b", "a\0b:1:1: cannot be read: embedded null byte"),
    ]:
        result = sources(tmp_path / name)

        assert problems(result, tmp_path) == [problem]
        assert result.files == (tmp_path / name,)


def test_a_file_closed_to_us(tmp_path, monkeypatch):
    """By a refusing `open`, since the tests may run as root, who may read everything."""
    write(tmp_path, {"a.yaml": "a: 1"})

    def refuse(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(tmp_path), "open", refuse)

    assert problems(sources(tmp_path), tmp_path) == [
        "a.yaml:1:1: cannot be read: permission denied"
    ]


def test_a_folder_closed_to_us(tmp_path, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(tmp_path), "iterdir", refuse)

    assert problems(sources(tmp_path), tmp_path) == [
        f"{tmp_path}:1:1: cannot be read: permission denied"
    ]


def test_a_hundred_megabytes_are_refused_quickly(tmp_path):
    path = tmp_path / "big.yaml"
    with path.open("wb") as file:
        file.truncate(100_000_000)  # sparse: nothing is written
    begin = time.process_time()

    assert problems(sources(path), tmp_path) == [
        "big.yaml:1:1: too large; all files together may have 64 MiB"
    ]
    assert time.process_time() - begin < 2


def test_the_limit_is_for_all_files_together(tmp_path, monkeypatch):
    monkeypatch.setattr(merge, "MAX_OCTETS", 2**20)
    write(tmp_path, {f"{name}.yaml": f"{name}: {'x' * 400_000}" for name in "abc"})

    assert problems(sources(tmp_path), tmp_path) == [
        "c.yaml:1:1: too large; all files together may have 1 MiB"
    ]
