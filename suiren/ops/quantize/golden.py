import torch

from golden import case, draw, index

TYPES = {"i8": torch.qint8, "u8": torch.quint8}
FLOATS = {"f64": torch.float64, "f32": torch.float32}


def quantize_per_channel(x, scale, zero_point, axis, dtype):
    return torch.quantize_per_channel(x, scale, zero_point, axis, TYPES[dtype]).int_repr()


def dequantize_per_channel(q, scale, zero_point, axis):
    along = lambda t: t.reshape([-1 if d == axis else 1 for d in range(q.dim())])
    return (q - along(zero_point)) * along(scale)


def cases():
    x = draw(3, 4)
    for dtype, zero in (("i8", -3), ("u8", 120)):
        case("quantize_per_tensor", lambda x, scale, zero_point, dtype: torch.quantize_per_tensor(
            x, scale, zero_point, TYPES[dtype]).int_repr(), [x.float()],
            {"scale": 0.0125, "zero_point": zero, "dtype": dtype}, gradient=False)
        scales, zeros = draw(4, low=0.01, high=0.1), index(4, below=100)
        case("quantize_per_channel", quantize_per_channel, [x.float(), scales.float(), zeros],
             {"axis": 1, "dtype": dtype}, gradient=False)
    case("dequantize_per_tensor", lambda q, scale, zero_point, dtype: ((q.to(FLOATS[dtype]) - zero_point) * scale),
         [torch.randint(-128, 128, (3, 4), dtype=torch.int8)], {"scale": 0.02, "zero_point": 5, "dtype": "f64"},
         gradient=False)
    case("dequantize_per_channel", dequantize_per_channel,
         [index(2, 3, 2, below=200), draw(3, low=0.1, high=1.0), index(3, below=50)], {"axis": 1}, constant=(2,))
    case("fake_quantize", lambda x, scale, zero_point, low, high: torch.fake_quantize_per_tensor_affine(
        x, scale, zero_point, low, high), [x], {"scale": 0.125, "zero_point": 3, "low": -8, "high": 7})
