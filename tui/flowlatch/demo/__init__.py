"""Sample flows and the actors that move them: clients of the public API, in processes of their own."""
