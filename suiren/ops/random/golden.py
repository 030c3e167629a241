import math

import torch

from golden import DTYPES, case
from philox import u53


def exponential(shape, rate, seed, stream, dtype):
    values = [-math.log1p(-u53(seed, stream, i)) / rate for i in range(math.prod(shape))]
    return torch.tensor(values).to(DTYPES[dtype]).reshape(shape)


def randint(shape, low, high, seed, stream, dtype):
    values = [low + math.floor(u53(seed, stream, i) * (high - low)) for i in range(math.prod(shape))]
    return torch.tensor(values, dtype=DTYPES[dtype]).reshape(shape)


def cases():
    at = {"seed": 123456789012345, "stream": 7}
    case("exponential", exponential, [], {"shape": [2, 4], "rate": 1.5, **at, "dtype": "f64"}, gradient=False)
    case("randint", randint, [], {"shape": [3, 4], "low": -5, "high": 7, **at, "dtype": "i64"}, gradient=False)
