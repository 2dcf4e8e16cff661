"""Tell load balancers and orchestrators whether the process lives and is ready; a request costs nothing."""

from narthex_plugins.health.plugin import Health

__all__ = ["Health"]
