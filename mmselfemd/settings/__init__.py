"""What a config and a command line say, before anything is built of it."""
