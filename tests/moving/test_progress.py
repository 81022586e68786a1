"""How often a command says how far it is."""

from __future__ import annotations

from io import StringIO

from app.moving.progress import Progress


class Terminal(StringIO):
    """A screen whose line can be written over."""

    def isatty(self) -> bool:
        return True


def told(screen: StringIO) -> str:
    """Return what is said of a hundred sessions, ten of them a second."""
    now = [0.0]
    progress = Progress(screen, "exported", lambda: now[0])
    for number in range(100):
        now[0] += 0.1
        progress.show(number, number * 10_000)
    progress.finish(100, 1_000_000)
    return screen.getvalue()


def test_line_on_a_terminal_is_written_over_a_few_times_a_second() -> None:
    said = told(Terminal()).split("\r")

    assert 20 < len(said) < 50
    assert said[-1] == "exported: 100 sessions, 1.0 MB\n"


def test_lines_elsewhere_are_few() -> None:
    assert told(StringIO()).splitlines()[-1] == "exported: 100 sessions, 1.0 MB"
    assert len(told(StringIO()).splitlines()) <= 2
