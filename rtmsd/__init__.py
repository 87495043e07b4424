"""A daemon that records Zoom Realtime Media Streams, complete and explained."""

__version__ = "0.1.0"
