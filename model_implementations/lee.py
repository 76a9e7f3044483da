"""Lee et al. 2020, Nature Communications 11, doi 10.1038/s41467-019-13749-3."""

from keras import Input

from .basic_blocks import classifier, convolution, inception_block, max_pooling


def cnn2(input_size=5000, dropout=0.3, dense_neurons=(2000, 500), classes=500, lr=3e-4):
    """Two convolutions."""
    spectrum = Input((input_size, 1))
    x = convolution(spectrum, 64, 50, stride=2)
    x = max_pooling(x, 3, stride=2)
    x = convolution(x, 64, 25, stride=3)
    x = max_pooling(x, 2, stride=3)
    return classifier(spectrum, x, dropout, dense_neurons, classes, lr)


def cnn3(input_size=5000, dropout=0.3, dense_neurons=(2500, 1000), classes=500, lr=3e-4):
    """Three convolutions."""
    spectrum = Input((input_size, 1))
    x = cnn3_trunk(spectrum)
    return classifier(spectrum, x, dropout, dense_neurons, classes, lr)


def inc3(input_size=5000, dropout=0.3, dense_neurons=(2500, 1000), classes=500, lr=3e-4):
    """The convolutions of `cnn3`, then three inception blocks."""
    spectrum = Input((input_size, 1))
    x = inc3_trunk(spectrum)
    return classifier(spectrum, x, dropout, dense_neurons, classes, lr)


def inc6(input_size=5000, dropout=0.3, dense_neurons=(4000, 400), classes=500, lr=3e-4):
    """The convolutions of `cnn3`, then six inception blocks."""
    spectrum = Input((input_size, 1))
    x = inc3_trunk(spectrum)
    x = inception_block(x, 49, 74, 96, 12, 24, 25)
    x = inception_block(x, 65, 97, 126, 16, 32, 32)
    x = inception_block(x, 85, 128, 166, 19, 38, 43)
    return classifier(spectrum, x, dropout, dense_neurons, classes, lr)


def cnn3_trunk(x):
    x = convolution(x, 64, 20)
    x = max_pooling(x, 3, stride=3)
    x = convolution(x, 64, 15)
    x = max_pooling(x, 2, stride=3)
    x = convolution(x, 64, 10, stride=2)
    return max_pooling(x, 1, stride=2)


def inc3_trunk(x):
    x = cnn3_trunk(x)
    x = inception_block(x, 22, 32, 42, 6, 12, 10)
    x = inception_block(x, 28, 43, 56, 7, 14, 14)
    return inception_block(x, 37, 56, 73, 9, 18, 19)
