import torch
import torch.nn.functional as F

from golden import case, draw


def nearest(x, size):
    return F.interpolate(x, size=size, mode="nearest")


def linear(x, size, align_corners):
    mode = ["linear", "bilinear", "trilinear"][x.dim() - 3]
    return F.interpolate(x, size=size, mode=mode, align_corners=align_corners)


def backward(f):
    def run(g, size, **attrs):
        x = torch.zeros(*g.shape[:2], *size, requires_grad=True)
        return torch.autograd.grad(f(x, list(g.shape[2:]), **attrs), x, g, create_graph=True)[0]
    return run


def cases():
    case("upsample_nearest", nearest, [draw(2, 2, 3, 2)], {"size": [6, 3]})
    case("upsample_nearest_backward", backward(nearest), [draw(2, 2, 6, 3)], {"size": [3, 2]})
    for corners in False, True:
        case("upsample_linear", linear, [draw(1, 2, 3, 4)], {"size": [5, 3], "align_corners": corners})
        case("upsample_linear", linear, [draw(1, 2, 3)], {"size": [7], "align_corners": corners})
        case("upsample_linear_backward", backward(linear), [draw(1, 2, 5, 3)],
             {"size": [3, 4], "align_corners": corners})
