"""A small real app that has never heard of Narthex, and the command that serves it behind Narthex.

`shop/` is the app; it imports nothing of Narthex and runs on any ASGI server by itself, for example with
`uvicorn narthex_contrib.demo.shop.main:app`. `narthex.toml` is all that is added; `command.py` is
`narthex demo`.
"""
