"""`python -m rtmsd` is `rtmsd`."""

from rtmsd.cli import main

main()
