"""The start of the command `fer-edge`, and `python -m fer_edge`."""

import gc
import os

# What imports make stays: to look for garbage in it takes a tenth of the start. The command turns it on again.
gc.disable()
# NumPy's linear algebra is not used here; its threads would spin on the cores that the model is loaded with.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from fer_edge.cli import main  # noqa: E402

if __name__ == "__main__":
    main()
