"""The start of the command `fer-edge`, and `python -m fer_edge`."""

import gc

# What imports make stays: to look for garbage in it takes a tenth of the start. The command turns it on again.
gc.disable()

from fer_edge.cli import main  # noqa: E402

if __name__ == "__main__":
    main()
