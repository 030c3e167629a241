import torch
import torch.nn.functional as F

from golden import case, draw

MODES = ["constant", "reflect", "replicate", "circular"]


def pad(x, before, after, mode, value=0.0):
    sides = [n for pair in reversed(list(zip(before, after))) for n in pair]
    return F.pad(x, sides, MODES[mode], value) if mode == 0 else F.pad(x, sides, MODES[mode])


def backward(g, before, after, mode):
    inner = list(g.shape[:g.dim() - len(before)])
    inner += [e - b - a for e, b, a in zip(g.shape[len(inner):], before, after)]
    x = torch.zeros(*inner, requires_grad=True)
    return torch.autograd.grad(pad(x, before, after, mode), x, g, create_graph=True)[0]


def cases():
    for mode in range(4):
        attrs = {"before": [1, 2], "after": [2, 1], "mode": mode}
        case("pad", pad, [draw(1, 2, 3, 4)], {**attrs, "value": 0.5 if mode == 0 else 0.0})
        case("pad_backward", backward, [draw(1, 2, 6, 7)], attrs)
