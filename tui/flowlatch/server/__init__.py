"""How runs are served: the wire contract over HTTP and websockets, in front of a store."""
