"""Many devices on one broker: the real publishing code, no camera."""
