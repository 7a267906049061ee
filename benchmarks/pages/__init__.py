"""The pages of results: made from the recorded runs, never written by hand."""
