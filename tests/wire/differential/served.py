"""What the servers import: the app of a site, bare or in Narthex, between the two vantage points."""

import gc
import logging
import os
from importlib import import_module
from typing import Final

from tests.wire.differential.vantage import PLACE, App, Vantage

# As a production app does, so that a plugin that takes over the root logger finds it set up.
logging.basicConfig(level=logging.INFO, format="app %(levelname)s %(name)s: %(message)s")


def _dressed(app: App) -> App:
    from narthex import Narthex
    from tests.wire.differential.observers import configuration

    # What an app returns is nobody's type to declare, but it is seen.
    return Narthex(app, configuration(os.environ["DIFFERENTIAL_AS"], PLACE))


_site: Final = import_module(f"tests.wire.differential.sites.{os.environ['DIFFERENTIAL_SITE']}")
_inside: Final = Vantage(_site.app, "inside")
app: Final = Vantage(_inside if os.environ["DIFFERENTIAL_AS"] == "bare" else _dressed(_inside), "outside")
gc.freeze()  # what stands so far need not be looked through each time
