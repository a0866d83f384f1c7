"""The one door to TensorFlow and Keras.

TFMOT needs Keras 2 (`tf_keras`), and TensorFlow must be told before it is imported; Keras 3 beside it breaks both. So
everything here and in `fer_convert` writes `from fer_train.keras_setup import keras, tf`.
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["TF_USE_LEGACY_KERAS"] = "1"

from fer_edge.errors import FerError
from fer_edge.quiet import native_stderr_hidden

try:
    with native_stderr_hidden():  # TensorFlow reports processors and absent GPUs before its log level counts
        import tensorflow as tf
        import tf_keras as keras

        tf.config.list_physical_devices()
except ImportError as error:
    raise FerError(
        f"{error}: training and conversion need the workstation extra: pip install 'fer-edge[workstation]'"
    ) from error

# Dropout and noise draw from generators whose state can be set, or a resumed training could not repeat an unbroken one.
keras.backend.experimental.enable_tf_random_generator()

__all__ = ["keras", "tf"]
