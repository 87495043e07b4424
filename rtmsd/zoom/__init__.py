"""Zoom over HTTP: tokens, the calls that start and stop streams, and how often they may be made."""
