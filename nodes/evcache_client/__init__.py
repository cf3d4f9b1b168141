"""The cache's asyncio class driven by orders: what experiments measure with. It has no HTTP face and keeps nothing."""
