"""What holds for every test."""

import os

from hypothesis import HealthCheck, settings

# The machine may be busy: examples are counted, not timed.
settings.register_profile("narthex", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "narthex"))
