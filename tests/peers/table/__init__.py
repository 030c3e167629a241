"""What PyTorch calls each op of suiren: one line an op, in a file for each kind. torch_ops.py compares, bench/ops.py
times."""
from table import (algebra, bytes_and_steps, elementwise, images, indexed, layers, layout, losses,  # noqa: F401
                   reductions)
from table.row import TABLE, reason_without  # noqa: F401
