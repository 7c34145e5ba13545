"""How many threads TensorFlow may use."""

import keras


def limit(threads: int) -> None:
    """Cap TensorFlow's threads before it starts; 0 leaves it every core. Other backends: see their own variables."""
    if threads and keras.backend.backend() == "tensorflow":
        import tensorflow as tf  # noqa: PLC0415  absent under other backends

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
