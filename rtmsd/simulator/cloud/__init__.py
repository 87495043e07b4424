"""Zoom's cloud around the meetings: accounts, apps, who may start a stream, REST, tokens and the events of a meeting's life."""
