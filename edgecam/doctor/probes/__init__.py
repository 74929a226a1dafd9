"""What is done in a child process, where a crash or a hang harms nobody. Each probe is a function `look`."""
