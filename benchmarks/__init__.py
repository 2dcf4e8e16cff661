"""What a request costs on its way through Narthex and through its peers, measured in one run.

Machines are noisy, so nothing here is compared across runs. All candidates stand ready in one process; a
round drives a short block of requests (a few milliseconds) through each of them, in shuffled order; after
some hundred rounds the 10th percentile of a candidate's blocks is its cost, and what it *adds* is that cost
less the cost of the same app bare, from the same rounds. A neighbour that steals the processor spoils some
blocks of every candidate and the percentile drops them. `measure` says what exactly is on the clock.

Run it with `make bench`, or `python -m benchmarks --help`. A new row is one decorated function in `rows/`.
"""
