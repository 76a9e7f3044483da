"""Szymanski et al. 2021, Chemistry of Materials 33, doi 10.1021/acs.chemmater.1c01071."""

from functools import partial

from keras import Input

from .basic_blocks import classifier, convolutions, max_pooling


def cnn6(
    input_size=5000,
    dropout=0.7,
    dense_neurons=(3100, 1200),
    classes=500,
    lr=3e-4,
    hidden_activation="relu",
    batch_norm=False,
    batch_norm_momentum=0.99,
    pooling_dropout=0,
):
    """Six convolutions; hidden layers with ReLU, as in the publication's own code."""
    conv = convolutions(batch_norm, batch_norm_momentum)
    pool = partial(max_pooling, dropout=pooling_dropout)
    spectrum = Input((input_size, 1))
    x = conv(spectrum, 64, 35)
    x = pool(x, 3, stride=2)
    x = conv(x, 64, 30)
    x = pool(x, 3, stride=2)
    x = conv(x, 64, 25)
    x = pool(x, 2, stride=2)
    x = conv(x, 64, 20)
    x = pool(x, 1, stride=2)
    x = conv(x, 64, 15)
    x = pool(x, 1, stride=2)
    x = conv(x, 64, 10)
    x = pool(x, 1, stride=2)
    return classifier(spectrum, x, dropout, dense_neurons, classes, lr, hidden_activation)
