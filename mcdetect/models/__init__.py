"""Fitted models, as readable JSON; the scripts that fitted them are in benchmarks/."""
