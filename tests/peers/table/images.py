"""Convolution, pooling, resizing."""
import torch
import torch.nn.functional as F

from op_cases import images, pictures
from table.row import op

by_rank = lambda x, one, two, three: [one, two, three][x.dim() - 3]


def conv(x, w, **attrs):
    return by_rank(x, F.conv1d, F.conv2d, F.conv3d)(x, w, **attrs)


def conv_transpose(x, w, **attrs):
    return by_rank(x, F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)(x, w, **attrs)


def strides(d, rank):
    return {"stride": [d.int(1, 3) for _ in range(rank)], "padding": [d.int(0, 2) for _ in range(rank)],
            "dilation": [d.int(1, 2) for _ in range(rank)], "groups": d.choice([1, 1, 2, 3])}


def convolved(transposed):
    def small(d):
        rank = d.choice([1, 2, 2, 3])
        at = strides(d, rank)
        inner, outer = (at["groups"] * d.int(1, 3) for _ in range(2))
        kernel = [d.int(1, 3) for _ in range(rank)]
        x = d.real([d.int(1, 3), inner] + [d.int(6, 8) for _ in range(rank)])
        if not transposed:
            return [x, d.real([outer, inner // at["groups"]] + kernel)], at
        most = [max(s, t) - 1 for s, t in zip(at["stride"], at["dilation"])]
        at["output_padding"] = [d.int(0, m) for m in most]
        return [x, d.real([inner, outer // at["groups"]] + kernel)], at
    return small


def unit(rank, padding=1):
    return {"stride": [1] * rank, "padding": [padding] * rank, "dilation": [1] * rank, "groups": 1}


CONVOLUTIONS = {
    "3x3": lambda d, n: ([pictures(d, n, 32), d.real([32, 32, 3, 3])], unit(2)),
    "1x1": lambda d, n: ([pictures(d, n, 64), d.real([64, 64, 1, 1])], unit(2, 0)),
    "depthwise": lambda d, n: ([pictures(d, n, 32), d.real([32, 1, 3, 3])], unit(2) | {"groups": 32}),
    "1d": lambda d, n: ([d.real([n // 16384, 32, 512]), d.real([32, 32, 5])], unit(1, 2)),
    "3d": lambda d, n: ([d.real([max(n // 65536, 1), 16, 16, 16, 16]), d.real([16, 16, 3, 3, 3])], unit(3)),
}
op("conv", conv, (convolved(False), CONVOLUTIONS), loosen=4)
op("conv_transpose", conv_transpose, (convolved(True), lambda d, n: (
    [pictures(d, n, 32, 16), d.real([32, 16, 4, 4])], unit(2) | {"stride": [2, 2], "output_padding": [0, 0]})), loosen=4)


def pooled(average):
    def small(d):
        x = images(d)
        rank = x.dim() - 2
        kernel = [d.int(1, 3) for _ in range(rank)]
        at = {"kernel": kernel, "stride": [d.int(1, 3) for _ in range(rank)],
              "padding": [d.int(0, k // 2) for k in kernel], "ceil_mode": d.flag()}
        return [x], at | ({"count_include_pad": d.flag()} if average else {"dilation": [1 if k > 2 else d.int(1, 2) for k in kernel]})
    return small


def pool_windows(d, n):
    return {"kernel": [3, 3], "stride": [2, 2], "padding": [1, 1], "ceil_mode": False}


def max_pool(x, kernel, **attrs):
    return by_rank(x, F.max_pool1d, F.max_pool2d, F.max_pool3d)(x, kernel, return_indices=True, **attrs)


def avg_pool(x, kernel, **attrs):
    return by_rank(x, F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)(x, kernel, **attrs)


def adaptive(d):
    x = images(d)
    return [x], {"size": [d.int(1, 4) for _ in range(x.dim() - 2)]}


def adaptive_max(x, size):
    f = by_rank(x, F.adaptive_max_pool1d, F.adaptive_max_pool2d, F.adaptive_max_pool3d)
    return f(x, size, return_indices=True)


def adaptive_avg(x, size):
    return by_rank(x, F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)(x, size)


op("max_pool", max_pool, (pooled(False), lambda d, n: ([pictures(d, n)], pool_windows(d, n) | {"dilation": [1, 1]})), distinct=True)
op("avg_pool", avg_pool, (pooled(True), lambda d, n: ([pictures(d, n)], pool_windows(d, n) | {"count_include_pad": True})))
op("adaptive_max_pool", adaptive_max, (adaptive, lambda d, n: ([pictures(d, n)], {"size": [7, 7]})), distinct=True)
op("adaptive_avg_pool", adaptive_avg, (adaptive, lambda d, n: ([pictures(d, n)], {"size": [7, 7]})))


def resized(corners):
    def small(d):
        x = images(d)
        return [x], {"size": [d.int(1, 11) for _ in range(x.dim() - 2)]} | ({"align_corners": d.flag()} if corners else {})
    return small


def linear(x, size, align_corners):
    return F.interpolate(x, size=size, mode=["linear", "bilinear", "trilinear"][x.dim() - 3], align_corners=align_corners)


op("upsample_nearest", lambda x, size: F.interpolate(x, size=size, mode="nearest"),
   (resized(False), lambda d, n: ([pictures(d, n // 4)], {"size": [64, 64]})))
op("upsample_linear", linear, (resized(True), lambda d, n: ([pictures(d, n // 4)], {"size": [64, 64], "align_corners": False})))
