"""The parts of `scripts/build_groups.py`."""
