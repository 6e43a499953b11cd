"""Hooks, each in a file of its own."""

from .momentum_update_hook import MomentumUpdateHook

__all__ = ['MomentumUpdateHook']
