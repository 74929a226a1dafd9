"""edgecam under faults, for long: it comes back from each, and does not grow."""
