"""Szymanski et al. 2021, Chemistry of Materials 33, doi 10.1021/acs.chemmater.1c01071."""

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
    spectrum = x = Input((input_size, 1))
    for kernel, pool in (35, 3), (30, 3), (25, 2), (20, 1), (15, 1), (10, 1):
        x = conv(x, 64, kernel)
        x = max_pooling(x, pool, stride=2, dropout=pooling_dropout)
    return classifier(spectrum, x, dropout, dense_neurons, classes, lr, hidden_activation)
