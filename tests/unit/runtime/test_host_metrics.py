"""Every metric has a name of ours and a sentence, and shows up in Prometheus' format."""

import re

from runtime import metrics


def test_every_metric_is_named_and_explained() -> None:
    for metric in metrics.ALL:
        assert re.fullmatch(r"alarum_[a-z_]+", metric.name)
        assert re.fullmatch(r"\S.{15,}\.", metric.says), metric.name
    assert len({metric.name for metric in metrics.ALL}) == len(metrics.ALL)


def test_what_is_counted_is_shown() -> None:
    metrics.SIGNALS.labels("of this test").inc(3)
    text = metrics.exposition().decode()
    assert 'alarum_signals_total{answer="of this test"} 3.0' in text
    assert "process_resident_memory_bytes" in text
