"""Fuzz what reads strangers' octets: `python -m tests.fuzz --seconds 60`.

With atheris (`pip install -e '.[fuzz]'`) the fuzzer is guided by coverage, begins with tests/fuzz/corpus
and the built packets, and hands further words to libFuzzer (-merge=1 FOLDER ...); without it mutations
are drawn from a seed.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.fuzz.seeds import CORPUS, inputs

MAX_LENGTH = 4096


def guided(runs: int, seconds: int, seed: int, words: list[str]) -> None:
    """Let atheris look for inputs. Does not return: libFuzzer ends the process."""
    import atheris

    # The laws are instrumented with the code they hold for: imports happen here, not above.
    with atheris.instrument_imports(include=["gtmdns"]):
        from tests.fuzz.laws import Laws
    laws = Laws(judge=10)
    folder = tempfile.mkdtemp(prefix="gtmdns-fuzz-")
    seeds = Path(folder, "seeds")
    found = Path(folder, "found")
    seeds.mkdir()
    found.mkdir()
    for number, octets in enumerate(inputs()):
        (seeds / str(number)).write_bytes(octets)
    limits = [
        f"-artifact_prefix={folder}/",
        f"-max_total_time={seconds}",
        f"-runs={runs}",
        f"-max_len={MAX_LENGTH}",
        f"-seed={seed}",
    ]
    print(f"new inputs go to {found}, failing ones to {folder}", flush=True)
    folders = [] if words else [str(found), str(seeds)]
    atheris.Setup([sys.argv[0], *limits, *words, *folders], laws.check)
    atheris.Fuzz()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000_000_000)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--own", action="store_true", help="mutations from a seed, without atheris")
    options, words = parser.parse_known_args()
    assert CORPUS.is_dir()
    try:
        if options.own:
            raise ImportError
        import atheris  # noqa: F401
    except ImportError:
        from tests.fuzz.mutation import fuzz

        print(fuzz(runs=options.runs, seconds=options.seconds, seed=options.seed))
        return
    guided(options.runs, options.seconds, options.seed, words)


if __name__ == "__main__":
    main()
