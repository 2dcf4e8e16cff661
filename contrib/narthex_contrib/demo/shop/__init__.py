"""The order desk of a small shop: FastAPI, one SQLite file, one page. Nothing here knows of Narthex."""
