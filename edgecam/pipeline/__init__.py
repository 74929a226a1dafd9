"""The engine room: hand-offs, scheduler, workers, and the runner that starts and stops them."""
