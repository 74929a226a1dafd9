"""What an appliance needs of its board and its system: identity and logs."""
