import torch
import torch.nn.functional as F

from golden import case, draw


def conv(x, w, **attrs):
    return [F.conv1d, F.conv2d, F.conv3d][x.dim() - 3](x, w, **attrs)


def conv_transpose(x, w, **attrs):
    return [F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d][x.dim() - 3](x, w, **attrs)


def weight_gradient(x, g, kernel, **attrs):
    w = torch.zeros(g.shape[1], x.shape[1] // attrs["groups"], *kernel, requires_grad=True)
    return torch.autograd.grad(conv(x, w, **attrs), w, g, create_graph=True)[0]


def attrs(stride, padding, dilation, groups, **more):
    return {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups, **more}


def cases():
    case("conv", conv, [draw(2, 4, 5, 4), draw(2, 2, 3, 2)], attrs([2, 1], [1, 0], [1, 2], 2))
    case("conv", conv, [draw(1, 2, 7), draw(2, 2, 3)], attrs([2], [2], [2], 1))
    case("conv", conv, [draw(1, 2, 3, 3, 2), draw(1, 2, 2, 2, 2)], attrs([1, 2, 1], [0, 1, 1], [1, 1, 1], 1))
    case("conv_transpose", conv_transpose, [draw(2, 4, 2, 3), draw(4, 1, 3, 2)],
         attrs([2, 1], [1, 0], [1, 2], 2, output_padding=[1, 1]))
    case("conv_transpose", conv_transpose, [draw(1, 2, 4), draw(2, 3, 3)],
         attrs([3], [1], [2], 1, output_padding=[2]))
    case("conv_weight_gradient", weight_gradient, [draw(2, 4, 4, 3), draw(2, 2, 2, 3)],
         attrs([2, 1], [1, 1], [1, 1], 2, kernel=[3, 3]))
