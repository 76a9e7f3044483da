"""Wang et al. 2020, J. Chemical Information and Modeling 60, doi 10.1021/acs.jcim.0c00020."""

from keras import Input, layers

from .basic_blocks import classifier, convolution, max_pooling

POOLING_DROPOUT = 0.2


def vgg(input_size=5000, dropout=0, dense_neurons=(120, 84, 186), classes=500, lr=3e-4):
    """Seven convolutions of width 5; dropout after each pooling, none between hidden layers."""
    spectrum = Input((input_size, 1))
    x = convolution(spectrum, 6, 5)
    x = pooling(x)
    x = convolution(x, 16, 5)
    x = convolution(x, 16, 5)
    x = pooling(x)
    x = convolution(x, 32, 5)
    x = convolution(x, 32, 5)
    x = pooling(x)
    x = convolution(x, 64, 5)
    x = convolution(x, 64, 5)
    x = pooling(x)
    return classifier(spectrum, x, dropout, dense_neurons, classes, lr)


def pooling(x):
    return layers.Dropout(POOLING_DROPOUT)(max_pooling(x, 2, stride=2))
