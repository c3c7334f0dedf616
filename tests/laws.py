"""How hypothesis tries laws here: the same examples each time, and no clock on a busy machine."""

from hypothesis import settings

LAW = settings(deadline=None, derandomize=True)
