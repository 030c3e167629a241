import torch
import torch.nn.functional as F

from golden import case, draw


def loss(x, w, t):
    return F.cross_entropy(x @ w.T, t, reduction="none")


def gradients(x, w, t, g):
    """Loss and gradients of sum(g * loss), by torch's own rule: they can be differentiated again."""
    rows = loss(x, w, t)
    with torch.enable_grad():
        again = [v if v.requires_grad else v.clone().requires_grad_() for v in (x, w)]
        dx, dw = torch.autograd.grad(loss(*again, t), again, g, create_graph=True)
    return rows, dx, dw


def accumulate(total, x, w, t, g):
    rows, dx, dw = gradients(x, w, t, g)
    return total + dw.detach(), rows, dx.detach()


def cases():
    t = torch.tensor([1, 0, 6, 1])
    case("linear_cross_entropy", loss, [draw(4, 3), draw(7, 3), t])
    case("linear_cross_entropy", loss, [draw(2, 1, low=20, high=21), draw(3, 1), t[:2]])
    case("linear_cross_entropy_gradients", gradients, [draw(4, 3), draw(7, 3), t, draw(4)])
    case("linear_cross_entropy_accumulate", accumulate, [draw(7, 3), draw(4, 3), draw(7, 3), t, draw(4)],
         gradient=False)
