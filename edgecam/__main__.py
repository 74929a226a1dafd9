"""`python -m edgecam` is `edgecam`."""

from edgecam.cli import main

if __name__ == "__main__":
    main()
