"""Liu et al. 2017, Analyst 142, doi 10.1039/C7AN01371J."""

from keras import Input, layers

from .basic_blocks import classifier, convolutions, max_pooling


def cnn_bn(
    input_size=5000,
    dropout=0.5,
    dense_neurons=(2048,),
    classes=500,
    lr=3e-4,
    hidden_activation="linear",
    batch_norm=True,
    batch_norm_momentum=0.99,
):
    """Three convolutions with batch normalisation and leaky ReLU."""
    conv = convolutions(batch_norm, batch_norm_momentum)
    spectrum = x = Input((input_size, 1))
    for filters, kernel in (16, 21), (32, 11), (64, 5):
        x = conv(x, filters, kernel, activation="linear")
        x = layers.LeakyReLU(negative_slope=0.1)(x)
        x = max_pooling(x, 2, stride=2)
    return classifier(spectrum, x, dropout, dense_neurons, classes, lr, hidden_activation)
