"""Write what is generated of README.md and .env.example: `make docs`. With `--check` nothing is
written, and the exit code is 1 if a file is not current."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from app.settings import Setting, settings_of  # noqa: E402
from app.wiring import Settings  # noqa: E402

BEGIN, END = "<!-- settings: written by `make docs` -->", "<!-- end of settings -->"
HEADER = (
    "# Written by `make docs`. Copy to .env and uncomment what you change.\n"
    "# What is in the environment counts more than this file. An empty value means the default.\n"
)


def table(settings: list[Setting]) -> str:
    """Return README's table of settings."""
    rows = [f"| `{s.name}` | {s.default} | {s.unit} | {s.sentence} |" for s in settings]
    return "\n".join(["| Name | Default | Unit | What |", "|---|---|---|---|", *rows])


def between_marks(document: str, text: str) -> str:
    """Return the document with this text between its two marks."""
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


def env_example(settings: list[Setting]) -> str:
    """Return .env.example: each setting commented out, with its default."""
    parts = [HEADER]
    for s in settings:
        unit = f" Unit: {s.unit}." if s.unit else ""
        parts.append(f"# {s.sentence}{unit}\n#{s.name}={s.default}\n")
    return "\n".join(parts)


def documents() -> dict[Path, str]:
    """Return each file as it should be."""
    settings = settings_of(Settings)
    readme = ROOT / "README.md"
    return {
        readme: between_marks(readme.read_text(), table(settings)),
        ROOT / ".env.example": env_example(settings),
    }


def main() -> int:
    """Write the files that are not current, or with `--check` name them."""
    stale = {path: text for path, text in documents().items() if path.read_text() != text}
    check = "--check" in sys.argv[1:]
    for path, text in stale.items():
        if not check:
            path.write_text(text)
        print(f"{path.name} {'is not current: make docs' if check else 'written'}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
