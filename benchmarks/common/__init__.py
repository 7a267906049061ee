"""What several benchmarks share: recording, command lines, backgrounds, displays, models of the folds."""
