"""Hooks, each in a file of its own."""
