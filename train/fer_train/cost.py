"""What a network costs, counted by TensorFlow's own profiler."""

from __future__ import annotations

from typing import Any

from fer_edge.quiet import native_stderr_hidden
from fer_train.keras_setup import tf


def multiply_accumulates(model: Any) -> int:
    """Count the multiply-accumulates of one picture's way through a Keras model.

    The profiler counts floating-point operations of the frozen graph, two to a multiply-accumulate; what is no
    convolution or dense layer (pooling, normalization, activations) adds a few per cent.
    """
    # Shapes are whole only once variables have become constants; TensorFlow offers that in no public place.
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2_as_graph

    shape = tf.TensorSpec([1, *model.input_shape[1:]], tf.float32)
    serve = tf.function(lambda face: model(face, training=False)).get_concrete_function(shape)
    _, graph_def = convert_variables_to_constants_v2_as_graph(serve)
    with tf.Graph().as_default() as graph, native_stderr_hidden():
        tf.graph_util.import_graph_def(graph_def, name="")
        options = tf.compat.v1.profiler.ProfileOptionBuilder(
            tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
        )
        counted = tf.compat.v1.profiler.profile(
            graph=graph,
            run_meta=tf.compat.v1.RunMetadata(),
            cmd="op",
            options=options.with_empty_output().build(),
        )
    return int(counted.total_float_ops) // 2
