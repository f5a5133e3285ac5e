"""Measures the site beside its rivals and prints a table of medians and ratios for each benchmark.

    scripts/bench NAME…      ban chat desk ingest instant instant-viewers kill kill-money latency
                             ledger logins memory origin soak startup tips, or all
    scripts/bench all --record

Everything listens on loopback and on free ports, each
run is bounded in time, and nothing is left running. Machines differ: quote ratios.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from pathlib import Path
from typing import Any

SCRIPTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(SCRIPTS.parent), str(SCRIPTS)]

from benchmarks.report import DOCUMENT, Report, record  # noqa: E402

NAMES = (
    *("ban", "chat", "desk", "ingest", "instant", "instant-viewers", "kill", "kill-money"),
    *("latency", "ledger", "logins", "memory", "origin", "soak", "startup", "tips"),
)


def _module(name: str) -> Any:
    return importlib.import_module(f"benchmarks.{name.replace('-', '_')}")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="+", choices=(*NAMES, "all"), metavar="NAME")
    parser.add_argument(
        "--record", action="store_true", help="rewrite these sections of docs/benchmarks.md"
    )
    for name in NAMES:
        group = parser.add_argument_group(name)
        _module(name).add_options(group)
    options = parser.parse_args()
    names = NAMES if "all" in options.names else options.names
    met = True
    for name in names:
        module = _module(name)
        with tempfile.TemporaryDirectory(prefix=f"bench-{name}-") as folder:
            report: Report = module.run(options, Path(folder))
        report.print()
        met = met and report.met
        if options.record:
            record(report, ["scripts/bench", *sys.argv[1:]])
            print(f"recorded in {DOCUMENT.relative_to(SCRIPTS.parent)}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
