"""Large runs: what they cost beside the search, and what is left of them after every kind of end."""
