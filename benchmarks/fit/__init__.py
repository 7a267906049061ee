"""Fitting the model of single spots, and its held-out figures."""
