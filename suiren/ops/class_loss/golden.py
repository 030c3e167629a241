import torch
import torch.nn.functional as F

from golden import case, draw


def weights(targets, w, ignored, like):
    ones = torch.ones(targets.shape, dtype=like.dtype) if w is None else w[targets]
    return torch.where(targets == ignored, torch.zeros(()), ones)


def nll(x, t, w=None, ignore_index=-100):
    loss = F.nll_loss(x, t, w if w is None else w.detach(), ignore_index=ignore_index, reduction="none")
    return loss, weights(t, w, ignore_index, x)


def cross_entropy(x, t, w=None, ignore_index=-100, label_smoothing=0.0):
    loss = F.cross_entropy(x, t, w if w is None else w.detach(), ignore_index=ignore_index, reduction="none",
                           label_smoothing=label_smoothing)
    return loss, weights(t, w, ignore_index, x)


def cases():
    t = torch.tensor([1, 0, 2, 1])
    case("nll_loss", nll, [draw(4, 3), t], {"ignore_index": 0})
    case("nll_loss", nll, [draw(4, 3), t, draw(3, low=0.5, high=2)], {"ignore_index": 2}, constant=(2,))
    for smoothing in 0.0, 0.2:
        attrs = {"ignore_index": 0, "label_smoothing": smoothing}
        case("cross_entropy_loss", cross_entropy, [draw(4, 3), t], attrs)
        case("cross_entropy_loss", cross_entropy, [draw(4, 3), t, draw(3, low=0.5, high=2)], attrs, constant=(2,))
