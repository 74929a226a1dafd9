"""The commands: plain functions that `cli.py` wires, a file per command of substance."""
