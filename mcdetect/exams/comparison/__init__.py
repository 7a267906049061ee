"""The same breast at two dates: registration, matching, and what is new, grown, stable or gone."""
