"""All checks that this machine allows; see scripts/check-consumers."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from consumer_checks import node_red

_DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
_NOTHING = 77


def main() -> int:
    """Run them; 1 when one has failed, 77 when there was none."""
    checks, faults = 0, list[str]()
    program = Path(sys.argv[1]) / "node_modules" / ".bin" / "node-red"
    if program.exists():
        checks += 1
        with tempfile.TemporaryDirectory() as folder:
            faults += node_red.check(_DEPLOY / "node-red" / "flows.json", program.resolve(), Path(folder))
    print("SKIPPED: Telegraf and Grafana: tests/test_consumers.py checks their files, nothing runs them")
    for fault in faults:
        print(f"FAILED: {fault}")
    print(f"{checks - len(faults)} passed, {len(faults)} failed")
    if faults:
        return 1
    return 0 if checks else _NOTHING


if __name__ == "__main__":
    sys.exit(main())
