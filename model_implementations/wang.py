"""Wang et al. 2020, J. Chemical Information and Modeling 60, doi 10.1021/acs.jcim.0c00020."""

from keras import Input

from .basic_blocks import classifier, convolutions, max_pooling


def vgg(
    input_size=5000,
    dropout=0,
    dense_neurons=(120, 84, 186),
    classes=500,
    lr=3e-4,
    hidden_activation="linear",
    batch_norm=False,
    batch_norm_momentum=0.99,
    kernel=5,
    pooling_dropout=0.2,
):
    """Seven convolutions of width 5; dropout after each pooling, none between hidden layers."""
    conv = convolutions(batch_norm, batch_norm_momentum)
    spectrum = x = Input((input_size, 1))
    for filters, convolutions_before_pooling in (6, 1), (16, 2), (32, 2), (64, 2):
        for _ in range(convolutions_before_pooling):
            x = conv(x, filters, kernel)
        x = max_pooling(x, 2, stride=2, dropout=pooling_dropout)
    return classifier(spectrum, x, dropout, dense_neurons, classes, lr, hidden_activation)
