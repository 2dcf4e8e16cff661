"""Event streams beside their peers: `python -m benchmarks.streams`."""
