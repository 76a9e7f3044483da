"""The eight networks of the paper's Table 1, one file per publication.

Each builder, for example `cnn6(input_size=5000, classes=500)`, returns a compiled Keras model:
inputs are spectra (batch, input_size) or (batch, input_size, 1), labels are one-hot (batch,
classes), and the metric is named "accuracy". Every network imported here can be trained by its
name with train_models.py.
"""

from .ho import resnet
from .lee import cnn2, cnn3, inc3, inc6
from .liu import cnn_bn
from .szymanski import cnn6
from .wang import vgg
