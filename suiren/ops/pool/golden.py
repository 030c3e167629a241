import torch
import torch.nn.functional as F

from golden import case, draw, index


def by_rank(one, two, three):
    return lambda x: [one, two, three][x.dim() - 3]


def max_pool(x, kernel, **attrs):
    f = by_rank(F.max_pool1d, F.max_pool2d, F.max_pool3d)(x)
    return f(x, kernel, return_indices=True, **attrs)


def avg_pool(x, kernel, **attrs):
    return by_rank(F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)(x)(x, kernel, **attrs)


def adaptive_max(x, size):
    return F.adaptive_max_pool2d(x, size, return_indices=True)


def adaptive_avg(x, size):
    return F.adaptive_avg_pool2d(x, size)


def backward(f):
    """The gradient of f by its input of extents `size`, as a function of the output's gradient."""
    def run(g, size, **attrs):
        x = torch.zeros(*g.shape[:2], *size, requires_grad=True)
        return torch.autograd.grad(f(x, **attrs), x, g, create_graph=True)[0]
    return run


def scatter(g, index, size):
    flat = torch.zeros(*g.shape[:2], torch.Size(size).numel()).scatter_add(2, index.flatten(2), g.flatten(2))
    return flat.reshape(*g.shape[:2], *size)


def adaptive_backward(g, size):
    return backward(lambda x: F.adaptive_avg_pool2d(x, g.shape[2:]))(g, size)


def cases():
    case("max_pool", max_pool, [draw(2, 2, 5, 6)],
         {"kernel": [3, 2], "stride": [2, 1], "padding": [1, 1], "dilation": [1, 2], "ceil_mode": True})
    case("max_pool", max_pool, [draw(1, 2, 7)],
         {"kernel": [2], "stride": [2], "padding": [0], "dilation": [1], "ceil_mode": False})
    case("max_pool", max_pool, [draw(1, 1, 3, 4, 4)],
         {"kernel": [2, 2, 2], "stride": [1, 2, 2], "padding": [0, 1, 0], "dilation": [1, 1, 1], "ceil_mode": False})
    case("adaptive_max_pool", adaptive_max, [draw(2, 2, 5, 4)], {"size": [3, 2]})
    case("max_pool_backward", scatter, [draw(2, 2, 2, 3), index(2, 2, 2, 3, below=12)], {"size": [3, 4]})
    for ceil, include in (True, False), (True, True), (False, False):
        attrs = {"kernel": [3, 2], "stride": [2, 2], "padding": [1, 1], "ceil_mode": ceil, "count_include_pad": include}
        case("avg_pool", avg_pool, [draw(1, 2, 6, 5)], attrs)
        shape = avg_pool(torch.zeros(1, 2, 6, 5), **attrs).shape
        case("avg_pool_backward", backward(avg_pool), [draw(*shape)], {"size": [6, 5], **attrs})
    case("adaptive_avg_pool", adaptive_avg, [draw(2, 2, 5, 4)], {"size": [3, 2]})
    case("adaptive_avg_pool_backward", adaptive_backward, [draw(2, 2, 3, 2)], {"size": [5, 4]})
