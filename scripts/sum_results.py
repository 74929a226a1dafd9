"""Sums up JUnit files in one line; exits 1 if anything failed or nothing passed.

usage: sum_results.py FOLDER
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from pathlib import Path


def main(folder: Path) -> int:
    """Print the sum of all *.xml in the folder."""
    passed = failed = skipped = 0
    for path in sorted(folder.glob("*.xml")):
        for suite in ET.parse(path).getroot().iter("testsuite"):  # noqa: S314 - pytest has just written it
            tests, bad, left = (
                sum(int(suite.get(key, "0")) for key in keys)
                for keys in (("tests",), ("failures", "errors"), ("skipped",))
            )
            passed, failed, skipped = passed + tests - bad - left, failed + bad, skipped + left
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return int(failed > 0 or passed == 0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
