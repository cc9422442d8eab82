"""One screen each: composes widgets, asks `live`, opens nothing on the wire."""
