"""Sizes, features, words and scores of what is found; time and memory."""
