"""Two dates: what is called new, grown, stable and gone."""
