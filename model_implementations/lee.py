"""Lee et al. 2020, Nature Communications 11, doi 10.1038/s41467-019-13749-3."""

from keras import Input

from .basic_blocks import classifier, convolutions, inception_block, max_pooling


def cnn2(
    input_size=5000,
    dropout=0.3,
    dense_neurons=(2000, 500),
    classes=500,
    lr=3e-4,
    hidden_activation="linear",
    batch_norm=False,
    batch_norm_momentum=0.99,
):
    """Two convolutions."""
    conv = convolutions(batch_norm, batch_norm_momentum)
    spectrum = Input((input_size, 1))
    x = conv(spectrum, 64, 50, stride=2)
    x = max_pooling(x, 3, stride=2)
    x = conv(x, 64, 25, stride=3)
    x = max_pooling(x, 2, stride=3)
    return classifier(spectrum, x, dropout, dense_neurons, classes, lr, hidden_activation)


def cnn3(
    input_size=5000,
    dropout=0.3,
    dense_neurons=(2500, 1000),
    classes=500,
    lr=3e-4,
    hidden_activation="linear",
    batch_norm=False,
    batch_norm_momentum=0.99,
):
    """Three convolutions."""
    conv = convolutions(batch_norm, batch_norm_momentum)
    spectrum = Input((input_size, 1))
    x = cnn3_trunk(spectrum, conv)
    return classifier(spectrum, x, dropout, dense_neurons, classes, lr, hidden_activation)


def inc3(
    input_size=5000,
    dropout=0.3,
    dense_neurons=(2500, 1000),
    classes=500,
    lr=3e-4,
    hidden_activation="linear",
    batch_norm=False,
    batch_norm_momentum=0.99,
):
    """The convolutions of `cnn3`, then three inception blocks."""
    conv = convolutions(batch_norm, batch_norm_momentum)
    spectrum = Input((input_size, 1))
    x = inc3_trunk(spectrum, conv)
    return classifier(spectrum, x, dropout, dense_neurons, classes, lr, hidden_activation)


def inc6(
    input_size=5000,
    dropout=0.3,
    dense_neurons=(4000, 400),
    classes=500,
    lr=3e-4,
    hidden_activation="linear",
    batch_norm=False,
    batch_norm_momentum=0.99,
):
    """The convolutions of `cnn3`, then six inception blocks."""
    conv = convolutions(batch_norm, batch_norm_momentum)
    spectrum = Input((input_size, 1))
    x = inc3_trunk(spectrum, conv)
    x = inception_block(x, 49, 74, 96, 12, 24, 25, conv)
    x = inception_block(x, 65, 97, 126, 16, 32, 32, conv)
    x = inception_block(x, 85, 128, 166, 19, 38, 43, conv)
    return classifier(spectrum, x, dropout, dense_neurons, classes, lr, hidden_activation)


def cnn3_trunk(x, conv):
    x = conv(x, 64, 20)
    x = max_pooling(x, 3, stride=3)
    x = conv(x, 64, 15)
    x = max_pooling(x, 2, stride=3)
    x = conv(x, 64, 10, stride=2)
    return max_pooling(x, 1, stride=2)


def inc3_trunk(x, conv):
    x = cnn3_trunk(x, conv)
    x = inception_block(x, 22, 32, 42, 6, 12, 10, conv)
    x = inception_block(x, 28, 43, 56, 7, 14, 14, conv)
    return inception_block(x, 37, 56, 73, 9, 18, 19, conv)
