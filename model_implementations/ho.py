"""Ho et al. 2019, Nature Communications 10, doi 10.1038/s41467-019-12898-9."""

from keras import Input

from .basic_blocks import classifier, normalised_convolution, residual_block


def resnet(input_size=5000, dropout=0.5, dense_neurons=(), classes=500, lr=3e-4):
    """Six stages of two residual blocks each; no hidden layer."""
    spectrum = Input((input_size, 1))
    x = normalised_convolution(spectrum, 64, 5)
    for _ in range(6):
        x = residual_block(x, 100, 5, stride=2)
        x = residual_block(x, 100, 5)
    return classifier(spectrum, x, dropout, dense_neurons, classes, lr)
