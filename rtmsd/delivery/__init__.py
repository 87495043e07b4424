"""From one stream to each sink, without one sink hurting another."""
