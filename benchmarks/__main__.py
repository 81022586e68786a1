"""`python -m benchmarks`: measure, print, and write the page, its plots and its data."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from benchmarks.environments import ROOT, enter_own

DOCS = ROOT / "docs" / "benchmarks"
QUICK_OUT = ROOT / "artifacts" / "benchmarks"  # a quick form must not replace the real figures


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("run", "profile"), default="run")
    parser.add_argument("--quick", action="store_true", help="under a minute; rough figures")
    parser.add_argument("--rounds", type=int, help="rounds of the comparison (5; quick: 2)")
    parser.add_argument("--without", action="append", default=[], help="leave a server out")
    parser.add_argument("--out", type=Path, help="folder to write to")
    return parser.parse_args()


def main() -> None:
    """Do what the command line says."""
    asked = arguments()
    enter_own()
    out = asked.out or (QUICK_OUT if asked.quick else DOCS)
    if asked.what == "profile":
        from benchmarks.profiling import profile

        print(profile(out / "profile.md"))
        return
    measure(asked, out)


def measure(asked: argparse.Namespace, out: Path) -> None:
    """Run the benchmark and write what it found."""
    from benchmarks.plots import write  # not before the environment that has matplotlib
    from benchmarks.report import document, summary
    from benchmarks.run import Plan, run

    rounds = asked.rounds or (2 if asked.quick else 5)
    results = run(Plan(asked.quick, rounds, tuple(asked.without)))
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    (out / "README.md").write_text(document(results, write(results, out)))
    print(f"\n{summary(results)}\n\nTook {results['took_s']} s.")


if __name__ == "__main__":
    main()
