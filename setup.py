"""The compiled path, which is optional: without Cython or a compiler the pure one answers.

Everything else about the project is in pyproject.toml.
"""

from pathlib import Path

from setuptools import Extension, setup

MODULES = ("gtmdns/answers/fast.pyx", "gtmdns/serve/drain.pyx")
FOLDERS = ("gtmdns/answers", "gtmdns/serve")


def extensions() -> list[Extension]:
    """Return what is to be compiled."""
    try:
        from Cython.Build import cythonize
    except ImportError:
        return []
    included = [
        str(file)
        for folder in FOLDERS
        for pattern in ("*.h", "*.pxd", "*.pxi")
        for file in sorted(Path(folder).glob(pattern))
    ]
    found = [
        Extension(
            module.removesuffix(".pyx").replace("/", "."),
            [module],
            include_dirs=list(FOLDERS),
            depends=included,
            define_macros=[("_GNU_SOURCE", None)],  # recvmmsg and sendmmsg
            libraries=["m"],
        )
        for module in MODULES
    ]
    found = cythonize(found, build_dir="build/cython", language_level=3)
    for each in found:  # set before, it does not outlive `cythonize`
        each.optional = True  # where it cannot be compiled, that is a warning
    return found


setup(ext_modules=extensions())
