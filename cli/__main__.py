"""`python -m flowc.cli` is `flowc`."""

from flowc.cli.main import main

main()
