"""The pieces that the networks share: convolution blocks, pooling, dense head, compile settings."""

from keras import Model, layers, metrics, optimizers


def convolution(x, filters, kernel, stride=1, activation="relu"):
    return layers.Conv1D(filters, kernel, stride, padding="same", activation=activation)(x)


def max_pooling(x, size, stride):
    return layers.MaxPooling1D(size, stride, padding="valid")(x)


def normalised_convolution(x, filters, kernel, stride=1):
    """Convolution without activation, then batch normalisation."""
    return layers.BatchNormalization()(convolution(x, filters, kernel, stride, activation=None))


def residual_block(x, filters, kernel, stride=1):
    """Two convolutions beside a shortcut, which is an identity where the stride is 1."""
    shortcut = x if stride == 1 else normalised_convolution(x, filters, 1, stride)
    x = normalised_convolution(x, filters, kernel, stride)
    x = layers.ReLU()(x)
    x = normalised_convolution(x, filters, kernel)
    return layers.ReLU()(layers.Add()([x, shortcut]))


def inception_block(x, a, b, c, d, e, f):
    """Four branches side by side; the arguments are their filters."""
    wide1 = convolution(x, a, 1)
    wide3 = convolution(convolution(x, b, 1), c, 3)
    wide5 = convolution(convolution(x, d, 1), e, 5)
    pooled = convolution(layers.AveragePooling1D(3, 1, padding="same")(x), f, 1)
    return layers.Concatenate()([wide1, wide3, wide5, pooled])


def classifier(spectrum, x, dropout, dense_neurons, classes, lr, activation=None):
    """Flatten, hidden layers with dropout before each, softmax over the classes; compiled.

    `spectrum` is the network's input and `x` its last convolution block; `activation` is that of
    the hidden layers, linear unless given. A dropout of 0 adds no layer. The labels are one-hot.
    """
    x = layers.Flatten()(x)
    for neurons in [dense_neurons] if isinstance(dense_neurons, int) else dense_neurons:
        x = layers.Dropout(dropout)(x) if dropout else x
        x = layers.Dense(neurons, activation=activation)(x)
    x = layers.Dropout(dropout)(x) if dropout else x
    model = Model(spectrum, layers.Dense(classes, activation="softmax")(x))
    model.compile(
        optimizer=optimizers.Adam(learning_rate=lr, beta_1=0.9, beta_2=0.999),
        loss="categorical_crossentropy",
        metrics=[metrics.CategoricalAccuracy(name="accuracy")],
    )
    return model
