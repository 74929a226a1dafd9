"""The pieces in deploy/ for other programs, tried in those programs."""
