"""Szymanski et al. 2021, Chemistry of Materials 33, doi 10.1021/acs.chemmater.1c01071."""

from keras import Input

from .basic_blocks import classifier, convolution, max_pooling


def cnn6(input_size=5000, dropout=0.7, dense_neurons=(3100, 1200), classes=500, lr=3e-4):
    """Six convolutions; hidden layers with ReLU, as in the publication's own code."""
    spectrum = Input((input_size, 1))
    x = convolution(spectrum, 64, 35)
    x = max_pooling(x, 3, stride=2)
    x = convolution(x, 64, 30)
    x = max_pooling(x, 3, stride=2)
    x = convolution(x, 64, 25)
    x = max_pooling(x, 2, stride=2)
    x = convolution(x, 64, 20)
    x = max_pooling(x, 1, stride=2)
    x = convolution(x, 64, 15)
    x = max_pooling(x, 1, stride=2)
    x = convolution(x, 64, 10)
    x = max_pooling(x, 1, stride=2)
    return classifier(spectrum, x, dropout, dense_neurons, classes, lr, activation="relu")
