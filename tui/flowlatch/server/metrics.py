"""Figures of the running server for Prometheus: `GET /metrics`."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest

from flowlatch.server.feed import Feed
from flowlatch.server.service import Service
from flowlatch.version import __version__

_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The figures of one server, in a registry of its own."""

    def __init__(self, service: Service, feed: Feed) -> None:
        self._registry = registry = CollectorRegistry()
        self._took = Histogram(
            "flowlatch_request_seconds", "Time from a read body to its answer.", registry=registry, buckets=_BUCKETS_S
        )
        self._at_work = 0
        Gauge("flowlatch_requests_at_work", "GraphQL requests being answered.", registry=registry).set_function(
            lambda: self._at_work
        )
        Gauge(
            "flowlatch_faults", "Faults of the server since its start; each is in the log.", registry=registry
        ).set_function(lambda: service.faults)
        Gauge("flowlatch_websockets", "Open websockets.", registry=registry).set_function(lambda: feed.sockets)
        Gauge("flowlatch_subscriptions", "Live subscriptions.", registry=registry).set_function(
            lambda: feed.subscriptions
        )
        Gauge("flowlatch_info", "Always 1.", ["version"], registry=registry).labels(__version__).set(1)

    def began(self) -> float:
        """Count one more GraphQL request at work; return what `ended` wants."""
        self._at_work += 1
        return time.perf_counter()

    def ended(self, began: float) -> None:
        """Take a GraphQL request as answered."""
        self._at_work -= 1
        self._took.observe(time.perf_counter() - began)

    def text(self) -> bytes:
        """Return all figures in Prometheus' text format."""
        return generate_latest(self._registry)
