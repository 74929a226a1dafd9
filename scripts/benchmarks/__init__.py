"""What `scripts/bench` runs: the cost of a frame, and the contenders that a user would pick instead."""
