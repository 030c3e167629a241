import torch
import torch.nn.functional as F

from golden import DTYPES, case, index


def cases():
    hot = lambda ids, classes, dtype: F.one_hot(ids, classes).to(DTYPES[dtype])
    case("one_hot", hot, [index(2, 5, below=6)], {"classes": 6, "dtype": "i64"}, gradient=False)
    case("one_hot", hot, [index(4, below=3)], {"classes": 3, "dtype": "f32"}, gradient=False)
    count = lambda ids, bins: torch.bincount(ids.reshape(-1), minlength=bins)
    case("bincount", count, [index(20, below=6)], {"bins": 7}, gradient=False)
    case("bincount", count, [index(3, 4, below=6)], {"bins": 6}, gradient=False)
