"""What is written: tables, the record of the run, overlays."""
