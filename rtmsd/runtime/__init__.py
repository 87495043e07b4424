"""What any asyncio daemon has; nothing here knows Zoom."""
