"""Says what somebody should know of: rules and dashboards to take away, and events where the house watches itself."""

from narthex_plugins.alerts.plugin import Alerts

__all__ = ["Alerts"]
