"""Against truth: data sets, evaluation, and the benchmark that runs both."""
