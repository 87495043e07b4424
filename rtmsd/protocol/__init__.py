"""The rules of Zoom's Realtime Media Streams, pure: no clocks, no sockets, no chance."""
