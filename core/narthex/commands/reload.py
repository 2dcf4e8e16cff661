from narthex.commands.options import DEFAULT, ConfigPath
from narthex.commands.ordering import order_all


def reload(config: ConfigPath = DEFAULT) -> None:
    """Have every `narthex run` that follows the file read it again, without losing a request.

    What cannot be followed is refused, and every process goes on as before.
    """
    order_all(config)
