"""Sockets to Zoom: what the protocol decided is done here."""
