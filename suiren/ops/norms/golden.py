import torch
import torch.nn.functional as F

from golden import case, draw


def layer_norm(x, weight, bias, eps):
    return F.layer_norm(x, weight.shape, weight, bias, eps)


def plain_layer_norm(x, weight, bias, eps):
    """In parts: torch's own third derivative of layer_norm does not agree with central differences."""
    axes = list(range(x.dim() - weight.dim(), x.dim()))
    d = x - x.mean(axes, keepdim=True)
    return d / torch.sqrt((d * d).mean(axes, keepdim=True) + eps) * weight + bias


def group_norm(x, weight, bias, groups, eps):
    return F.group_norm(x, groups, weight, bias, eps)


def batch_norm(x, weight, bias, eps):
    axes = [d for d in range(x.dim()) if d != 1]
    return F.batch_norm(x, None, None, weight, bias, True, 0.0, eps), x.mean(axes), x.var(axes, unbiased=False)


def batch_norm_inference(x, mean, var, weight, bias, eps):
    shape = [-1] + [1] * (x.dim() - 2)
    y = (x - mean.view(shape)) / torch.sqrt(var.view(shape) + eps)
    return y * weight.view(shape) + bias.view(shape)


def backward(f):
    def run(g, x, weight, **attrs):
        x, weight = x + 0, weight + 0  # no leaves, so that their gradients are taken here
        if not x.requires_grad:
            x.requires_grad_()
            weight.requires_grad_()
        bias = torch.zeros_like(weight).detach().requires_grad_()
        return torch.autograd.grad(f(x, weight, bias, **attrs), [x, weight, bias], g, create_graph=True)
    return run


def batch_backward(g, x, weight, mean, var, g_mean, g_var, eps):
    shape, axes = [-1] + [1] * (x.dim() - 2), [d for d in range(x.dim()) if d != 1]
    n = (x - mean.view(shape)) / torch.sqrt(var.view(shape) + eps)
    count = x.numel() / x.shape[1]
    scale = (weight / torch.sqrt(var + eps)).view(shape)
    dx = scale * (g - g.mean(axes, keepdim=True) - n * (g * n).mean(axes, keepdim=True))
    dx = dx + (g_mean.view(shape) + 2 * g_var.view(shape) * (x - mean.view(shape))) / count
    return dx, (g * n).sum(axes), g.sum(axes)


def cases():
    case("layer_norm", layer_norm, [draw(3, 7), draw(7), draw(7)], {"eps": 0.01})
    case("layer_norm", layer_norm, [draw(2, 3, 4), draw(3, 4), draw(3, 4)], {"eps": 0.01})
    case("layer_norm_backward", backward(plain_layer_norm), [draw(3, 5), draw(3, 5), draw(5)], {"eps": 0.01})
    case("group_norm", group_norm, [draw(2, 4, 3), draw(4), draw(4)], {"groups": 2, "eps": 0.01})
    case("group_norm_backward", backward(group_norm), [draw(2, 4, 3), draw(2, 4, 3), draw(4)],
         {"groups": 2, "eps": 0.01})
    case("batch_norm", batch_norm, [draw(3, 2, 2, 2), draw(2), draw(2)], {"eps": 0.01})
    case("batch_norm_backward", batch_backward,
         [draw(3, 2, 4), draw(3, 2, 4), draw(2), draw(2), draw(2, low=0.5), draw(2), draw(2)], {"eps": 0.01})
    case("batch_norm_inference", batch_norm_inference,
         [draw(2, 3, 4), draw(3), draw(3, low=0.5), draw(3), draw(3)], {"eps": 0.01})
