"""Fitted models, as readable JSON; what fitted them is in benchmarks/fit and benchmarks/comparison."""
