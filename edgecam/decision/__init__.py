"""Pure: from what the network said, frame by frame, to what we say, and why."""
