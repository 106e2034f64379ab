/* Metrics as Prometheus reads them: its text format 0.0.4, and OpenMetrics 1.0. */
#pragma once

#include "base/metrics.h"
#include "base/text.h"

enum metrics_format {
    METRICS_PROMETHEUS,
    METRICS_OPENMETRICS,
};

#define TYPE_METRICS     "text/plain"
#define TYPE_OPENMETRICS "application/openmetrics-text"

/* Values of labels that only the caller knows. */
struct metrics_words {
    const char *operations[METRIC_OPERATIONS_MAX]; /* NULL where there is none */
    const char *version;
};

/* All of them, but series that have no value yet. Both formats have the same series. ERR_INTERNAL
 * without memory. */
bool metrics_text(const struct metrics *metrics, enum metrics_format format,
                  const struct metrics_words *words, struct text *out, struct error *err);
