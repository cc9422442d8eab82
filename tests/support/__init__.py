"""Real parts for the tests: server processes, terminals, plain requests, waiting."""
