"""Exposition: rows of a catalogue become Prometheus text or OpenMetrics, at scrape time and only then."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from kvserver.metrics.rows import COUNTER, HISTOGRAM, PREFIX, Distribution, Metric

__all__ = ["Metric", "expose"]


class CatalogueCollector(Collector):
    """Reads every row of a catalogue once per scrape."""

    def __init__(self, rows: Sequence[Metric], view: Any) -> None:
        self._rows = rows
        self._view = view

    def collect(self) -> Iterator[Family]:
        """Give one family per row that has samples now."""
        for row in self._rows:
            samples = list(row.read(self._view))
            if samples:
                yield _family(row, samples)


def _family(row: Metric, samples: Iterable[tuple[tuple[str, ...], Any]]) -> Family:
    name = PREFIX + row.name
    if row.kind == HISTOGRAM:
        histogram = HistogramMetricFamily(name, row.help, labels=row.labels)
        for labels, distribution in samples:
            histogram.add_metric(labels, _buckets(distribution), distribution.total)
        return histogram
    family = (CounterMetricFamily if row.kind == COUNTER else GaugeMetricFamily)(name, row.help, labels=row.labels)
    for labels, value in samples:
        family.add_metric(labels, value)
    return family


def _buckets(distribution: Distribution) -> list[tuple[str, float]]:
    bounds = [*map(str, distribution.bounds), "+Inf"]
    return list(zip(bounds, accumulate(distribution.counts), strict=True))


def expose(rows: Sequence[Metric], view: Any, accept: str) -> tuple[bytes, str]:
    """Read the rows and encode them as the client's Accept header wants: (body, content type)."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(CatalogueCollector(rows, view))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type
