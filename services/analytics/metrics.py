"""What the analytics service counts, beside the HTTP and store metrics every service has."""

from libs.common.metrics import Metrics, counter, histogram


class AnalyticsMetrics(Metrics):
    answers = counter(
        "airis_analytics_answers_total",
        "Answers by where they came from: cache, store, or shared with a question that was already being answered.",
        unit="answers",
        labels=("endpoint", "source"),
    )
    cache_failures = counter(
        "airis_analytics_cache_failures_total",
        "Times Redis did not answer; the store was asked instead.",
        unit="failures",
        labels=("operation",),
    )
    search_slices = histogram(
        "airis_analytics_search_slices",
        "Slices of time a search read before it had its page.",
        unit="slices",
        labels=("signal",),
        buckets=(1, 2, 3, 4, 5, 6, 8, 10, 15, 20),
    )
    searches_cut = counter(
        "airis_analytics_searches_cut_total",
        "Searches that ran out of time and gave a part and a cursor.",
        unit="searches",
        labels=("signal",),
    )
