"""``python -m mcdetect``."""

from mcdetect.cli import main

main()
