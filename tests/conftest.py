"""Settings of all tests."""

from hypothesis import HealthCheck, settings

# How long an example takes tells of what else runs on the machine; where time matters a test measures it itself.
settings.register_profile("longhaul", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("longhaul")
