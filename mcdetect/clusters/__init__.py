"""The fourth stage: groups of calcifications, their features, their words and their scores."""
