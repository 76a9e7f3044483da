"""The pieces that the networks share: convolution blocks, pooling, dense head, compile settings."""

from functools import partial

from keras import Model, layers, metrics, optimizers


def convolutions(batch_norm, momentum):
    """Return `convolution` with batch normalisation before every activation, or without.

    momentum: share of the running averages that a training step keeps.
    """
    if not 0 <= momentum < 1:  # 1 and above, the averages stay as they begin, or grow beyond limits
        raise ValueError(f"batch_norm_momentum is {momentum}, accepted: from 0 to below 1")
    return partial(convolution, batch_norm=batch_norm, momentum=momentum)


def convolution(x, filters, kernel, stride=1, activation="relu", batch_norm=False, momentum=0.99):
    """Convolution, batch normalisation if asked for, activation ("linear" for none)."""
    if not batch_norm:
        return layers.Conv1D(filters, kernel, stride, padding="same", activation=activation)(x)
    x = layers.Conv1D(filters, kernel, stride, padding="same")(x)
    x = layers.BatchNormalization(momentum=momentum)(x)
    return x if activation == "linear" else layers.Activation(activation)(x)


def max_pooling(x, size, stride, dropout=0):
    """Max pooling, then dropout if its rate is not 0."""
    x = layers.MaxPooling1D(size, stride, padding="valid")(x)
    return dropped_out(x, dropout)


def dropped_out(x, rate):
    """Dropout, which adds no layer where its rate is 0."""
    if not 0 <= rate < 1:  # Keras takes 1, with which nothing passes
        raise ValueError(f"dropout is {rate}, accepted: from 0 to below 1")
    return layers.Dropout(rate)(x) if rate else x


def residual_block(x, filters, kernel, stride=1, conv=convolution):
    """Two convolutions beside a shortcut, which is an identity where the stride is 1."""
    shortcut = x if stride == 1 else conv(x, filters, 1, stride, activation="linear")
    x = conv(x, filters, kernel, stride, activation="linear")
    x = layers.ReLU()(x)
    x = conv(x, filters, kernel, activation="linear")
    return layers.ReLU()(layers.Add()([x, shortcut]))


def inception_block(x, ones, threes_reduce, threes, fives_reduce, fives, pooled, conv=convolution):
    """Four branches side by side.

    The numbers are filters, in the order of GoogLeNet's Table 1 (Szegedy et al. 2015, doi
    10.1109/CVPR.2015.7298594): `ones` of width 1, `threes` and `fives` of widths 3 and 5 behind
    `_reduce` of width 1, `pooled` of width 1 behind average pooling.
    """
    branches = [
        conv(x, ones, 1),
        conv(conv(x, threes_reduce, 1), threes, 3),
        conv(conv(x, fives_reduce, 1), fives, 5),
        conv(layers.AveragePooling1D(3, 1, padding="same")(x), pooled, 1),
    ]
    return layers.Concatenate()(branches)


def classifier(spectrum, x, dropout, dense_neurons, classes, lr, activation="linear"):
    """Flatten, hidden layers with dropout before each, softmax over the classes; compiled.

    `spectrum` is the network's input and `x` its last convolution block; `activation` is that of
    the hidden layers. The labels are one-hot.
    """
    x = layers.Flatten()(x)
    for neurons in [dense_neurons] if isinstance(dense_neurons, int) else dense_neurons:
        x = dropped_out(x, dropout)  # each layer is made in turn, as seeds are drawn in this order
        x = layers.Dense(neurons, activation=activation)(x)
    x = dropped_out(x, dropout)
    # Probabilities are float32 whatever the precision of the rest.
    model = Model(spectrum, layers.Dense(classes, activation="softmax", dtype="float32")(x))
    model.compile(
        optimizer=optimizers.Adam(learning_rate=lr, beta_1=0.9, beta_2=0.999),
        loss="categorical_crossentropy",
        metrics=[metrics.CategoricalAccuracy(name="accuracy")],
    )
    return model
