"""Runs the checks of one boot; see scripts/check-appliance."""

from __future__ import annotations

import sys
import traceback

from appliance_checks import first_boot, second_boot
from appliance_checks.box import report

_BOOTS = {"first": first_boot.check, "second": second_boot.check}


def main() -> None:
    """A check that breaks is one that has failed."""
    boot = sys.argv[1]
    try:
        _BOOTS[boot]()
    except Exception as error:  # noqa: BLE001 - the report is the only way out of the box
        traceback.print_exc()
        report(f"the checks of the {boot} boot", passed=False, detail=repr(error))
    report(f"the {boot} boot was checked to its end", passed=True)


if __name__ == "__main__":
    main()
