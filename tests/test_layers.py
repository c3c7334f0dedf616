"""The architecture as a test: who may import whom, and what a process must not load.

The table is that of the design, and every import counts, one inside a function too.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import gtmdns

ROOT = Path(gtmdns.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
PACKAGES = {
    "wire", "answers", "serve", "config", "health", "compiler", "sources", "explain", "control", "cli",
}  # fmt: skip

# fmt: off
MAY_IMPORT = {
    # package     packages of ours                                       other people's
    "wire":      (set(),                                                 set()),
    "answers":   ({"wire"},                                              set()),
    "serve":     ({"wire", "answers"},                                   set()),
    "config":    ({"wire"},                                              {"pydantic", "pydantic_core", "yaml", "dns", "re2"}),
    "health":    ({"wire", "config"},                                    {"aiohttp", "yarl", "h2", "dns", "re2"}),  # yarl comes with aiohttp
    "compiler":  ({"wire", "answers", "config", "health"},               {"dnslib", "dns", "maxminddb", "geoip2", "cryptography"}),
    "sources":   ({"config"},                                            set()),
    "explain":   ({"wire", "answers", "config", "health", "compiler"},   {"dns"}),
    "control":   (PACKAGES - {"cli"},                                    {"aiohttp", "prometheus_client"}),
    "cli":       (PACKAGES,                                              {"click", "rich", "dns"}),
    "":          ({"cli"},                                               set()),  # gtmdns/__main__.py and __init__.py
}
# fmt: on


def imports(file: Path) -> Iterator[str]:
    """Yield the full name of every module that `file` imports, relative imports resolved."""
    package = ["gtmdns", *file.relative_to(ROOT).parts[:-1]]
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            base += node.module.split(".") if node.module else []
            for alias in node.names:
                # `from . import answer` names a module, `from .answer import Leaf` does not.
                path = ROOT.joinpath(*base[1:], alias.name)
                is_module = base[0] == "gtmdns" and (
                    path.with_suffix(".py").exists() or path.is_dir()
                )
                yield ".".join([*base, alias.name] if is_module else base)


def package_of(file: Path) -> str:
    """Return the package that a file is in, "" for gtmdns itself."""
    parts = file.relative_to(ROOT).parts
    return parts[0] if len(parts) > 1 else ""


def name_of(file: Path) -> str:
    """Return the module name of a file."""
    parts = ("gtmdns", *file.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts).removesuffix(".__init__")


def test_every_package_has_its_row_and_is_one_level_deep():
    assert {package_of(file) for file in FILES} == set(MAY_IMPORT)
    assert all(len(file.relative_to(ROOT).parts) <= 2 for file in FILES)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_imports_point_one_way(file: Path):
    package = package_of(file)
    ours, others = MAY_IMPORT[package]
    for name in imports(file):
        first, *rest = name.split(".")
        if first == "gtmdns":
            # "gtmdns" alone is its version and its folder; its package "" is in no row.
            assert not rest or rest[0] in ours | {package}, name
        else:
            assert first in sys.stdlib_module_names or first in others, name


def test_no_ring_of_imports():
    """Modules import each other in one order; `static_order` raises CycleError where they do not."""
    graph = {
        name_of(file): {name for name in imports(file) if name.startswith("gtmdns.")}
        for file in FILES
    }

    order = list(TopologicalSorter(graph).static_order())

    assert set(order) >= set(graph)


def test_the_walk_sees_relative_absolute_and_hidden_imports(tmp_path, monkeypatch):
    """The test above must be able to fail."""
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    (tmp_path / "wire").mkdir()
    (tmp_path / "wire" / "name.py").touch()
    file = tmp_path / "answers" / "zone.py"
    file.parent.mkdir()
    file.write_text(
        "import yaml, os.path\n"
        "from ..wire import name\n"
        "from ..wire.name import ROOT\n"
        "from . import answer\n"
        "def f():\n"
        "    from gtmdns.cli.main import main\n"
        "    import dns.message\n"
    )

    assert list(imports(file)) == [
        "yaml", "os.path", "gtmdns.wire.name", "gtmdns.wire.name", "gtmdns.answers", "gtmdns.cli.main", "dns.message",
    ]  # fmt: skip


HEAVY = {
    "yaml", "pydantic", "aiohttp", "dns", "dnslib", "maxminddb", "geoip2", "prometheus_client", "click", "rich", "h2", "re2",
    "cryptography", "gtmdns.config", "gtmdns.compiler", "gtmdns.control", "gtmdns.explain", "gtmdns.health", "gtmdns.cli",
}  # fmt: skip


def loaded(module: str) -> set[str]:
    """Return what a fresh interpreter has loaded after it imported `module`."""
    code = f"import sys, {module}; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=ROOT.parent,
    )
    return set(run.stdout.split())


@pytest.mark.parametrize(
    "module", ["gtmdns.serve.worker", "gtmdns.serve.parent", "gtmdns.serve.udp", "gtmdns.serve.tcp"]
)
def test_who_reads_strangers_packets_or_is_root_carries_little(module):
    """A worker and the parent must not hold a YAML parser, an HTTP stack or pydantic."""
    modules = loaded(module)

    assert module in modules
    assert HEAVY & modules == set()


def test_the_loader_and_the_probes_do_not_drag_in_the_command_line():
    for module in ("gtmdns.control.control", "gtmdns.control.loader", "gtmdns.health.monitor"):
        assert {"click", "rich", "gtmdns.cli"} & loaded(module) == set(), module
