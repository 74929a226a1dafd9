"""What scripts/check-appliance tries inside the booted Debian: standard library only, by its own Python."""
