import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type

from golden import blocks, case, index

# Where the f16 scales of a block stand.
HALVES = {"q8_0": [0], "q4_0": [0], "q5_1": [0, 2], "q2_k": [80, 82], "q4_k": [0, 2], "q6_k": [208], "iq4_xs": [0]}


def weight(name, rows, count):
    """`count` blocks a row of random bits, with scales that are powers of two: all products are exact."""
    kind = Type[name.upper()]
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    data = torch.randint(0, 256, (rows, count, size), dtype=torch.uint8).numpy()
    for at in HALVES[name]:
        data[:, :, at:at + 2] = np.frombuffer(np.float16(1 / 32).tobytes(), np.uint8)
    data = data.reshape(rows, count * size)
    return blocks(name, data, torch.from_numpy(gguf.quants.dequantize(data, kind).astype(np.float64)))


def activations(rows, depth):
    """Small multiples of 1/64 and, in each 32, 127/64: rounding leaves them as they are, and sums are exact."""
    x = torch.randint(-15, 16, (rows, depth // 32, 32))
    x[:, :, 5] = 127
    return (x / 64).reshape(rows, depth).float()


def in_q8_0(x):
    data = gguf.quants.quantize(x.numpy(), Type.Q8_0)
    return blocks("q8_0", torch.from_numpy(data), torch.from_numpy(gguf.quants.dequantize(data, Type.Q8_0)))


def cases():
    for name in HALVES:
        for rows, outputs, count in (1, 2, 1), (2, 3, 2):
            w = weight(name, outputs, count)
            case("quantized_linear", lambda x, w: (x.double() @ w.double().T).float(),
                 [activations(rows, w.shape[1]), w], gradient=False)
        case("dequantize_blocks", lambda w: w.float(), [weight(name, 1, 1)], gradient=False)
    case("embedding", lambda w, ids: w[ids].float(), [weight("q4_0", 4, 1), index(3, below=4)], gradient=False)
    for shape in (1, 32), (2, 3, 64):
        case("quantize_blocks", lambda x, format: in_q8_0(x), [torch.randn(shape, dtype=torch.float32)],
             {"format": 64}, gradient=False)
