"""Ho et al. 2019, Nature Communications 10, doi 10.1038/s41467-019-12898-9."""

from keras import Input

from .basic_blocks import classifier, convolutions, residual_block


def resnet(
    input_size=5000,
    dropout=0.5,
    dense_neurons=(),
    classes=500,
    lr=3e-4,
    hidden_activation="linear",
    batch_norm=True,
    batch_norm_momentum=0.99,
    first_activation="linear",
):
    """Six stages of two residual blocks each; no hidden layer."""
    conv = convolutions(batch_norm, batch_norm_momentum)
    spectrum = Input((input_size, 1))
    x = conv(spectrum, 64, 5, activation=first_activation)
    for _ in range(6):
        x = residual_block(x, 100, 5, stride=2, conv=conv)
        x = residual_block(x, 100, 5, conv=conv)
    return classifier(spectrum, x, dropout, dense_neurons, classes, lr, hidden_activation)
