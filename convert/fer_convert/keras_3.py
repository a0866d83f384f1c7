"""What Keras 3 wrote, exported as a SavedModel, in a process of its own: Keras 2 and 3 break each other in one.

    python -m fer_convert.keras_3 MODEL.keras FOLDER

prints the name that the model gives itself, or in one line why it cannot be read, and then ends with 1.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from fer_convert.foreign import reason
from fer_edge.errors import ModelError


def export(path: Path, folder: Path) -> str:
    """Export a model for inference, with the signature "serving_default".

    Args:
        path: A `.keras` or `.h5` file of Keras 3.
        folder: Of the SavedModel.

    Returns:
        The model's name.

    Raises:
        ModelError: Keras 3 cannot read or export it.
    """
    environment = os.environ | {"KERAS_BACKEND": "tensorflow", "TF_USE_LEGACY_KERAS": "0"}
    command = [sys.executable, "-m", "fer_convert.keras_3", str(path), str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    told = (done.stdout.splitlines() or done.stderr.splitlines() or [f"it ended with {done.returncode}"])[-1]
    if done.returncode:
        raise ModelError(
            f"{path} was written by Keras 3, which cannot read it here: {told}; "
            "export it where it can be read, model.export(FOLDER), and convert FOLDER"
        )
    return told


def _main(path: str, folder: str) -> int:
    try:
        import keras

        model = keras.saving.load_model(path, compile=False)
        model.export(folder, verbose=False)
    except Exception as error:  # a foreign file fails in every way
        print(reason(error))
        return 1
    print(model.name)
    return 0


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
