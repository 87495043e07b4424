"""HTTP for others: Zoom's webhooks on one listener, the status page on another."""
