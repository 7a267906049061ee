"""The second stage: candidates, what they look like, and how much each looks like a calcification."""
