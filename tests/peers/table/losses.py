"""Losses of classes and of sequences."""
import torch
import torch.nn.functional as F

from op_cases import rows
from table.row import NO, op


def classes(d):
    n, c = d.int(1, 8), d.int(2, 9)
    return n, c, [d.real([n, c], -4, 4), d.ints([n], 0, c)]


def weighted(smoothing):
    def small(d):
        n, c, inputs = classes(d)
        at = {"ignore_index": d.choice([-100, 0])} | ({"label_smoothing": d.choice([0.0, 0.1])} if smoothing else {})
        return inputs + ([d.real([c], 0.5, 2)] if d.flag() else []), at

    def large(d, n):
        shape = rows(n)
        return [d.real(shape), d.ints(shape[:1], 0, shape[1])], {"ignore_index": -100} | ({"label_smoothing": 0.1} if smoothing else {})
    return small, large


def counted(t, w, ignored, like):
    ones = torch.ones(t.shape, dtype=like.dtype) if w is None else w[t.clamp(min=0)]
    return torch.where(t == ignored, torch.zeros((), dtype=like.dtype), ones).detach()


def nll(x, t, w=None, ignore_index=-100):
    return F.nll_loss(x, t, w, ignore_index=ignore_index, reduction="none"), counted(t, w, ignore_index, x)


def class_loss(x, t, w=None, ignore_index=-100, label_smoothing=0.0):
    loss = F.cross_entropy(x, t, w, ignore_index=ignore_index, reduction="none", label_smoothing=label_smoothing)
    return loss, counted(t, w, ignore_index, x)


def projected(gradients):
    def small(d):
        n, depth, v = d.int(1, 8), d.int(1, 9), d.int(2, 90)
        inputs = [d.real([n, depth]), d.real([v, depth]), d.ints([n], 0, v)]
        return inputs + ([d.real([n])] if gradients else []), {}
    return small, None


def projected_loss(x, weight, t):
    return F.cross_entropy(x @ weight.T, t, reduction="none")


def projected_gradients(x, weight, t, g):
    with torch.enable_grad():
        x, weight = x.detach().requires_grad_(), weight.detach().requires_grad_()
        loss = projected_loss(x, weight, t)
        dx, dweight = torch.autograd.grad(loss, (x, weight), g.detach())
    return loss.detach(), dx, dweight


def speech(d):
    T, N, C = d.int(4, 9), d.int(1, 4), d.int(3, 6)
    blank = d.int(0, C - 1)
    labels = d.ints([N, 3], 0, C - 1)
    labels = torch.where(labels >= blank, labels + 1, labels)
    return [F.log_softmax(d.real([T, N, C]), -1), labels, d.ints([N], T - 1, T + 1), d.ints([N], 0, 2 + (T > 6))], {"blank": blank}


def ctc(lp, targets, input_lengths, target_lengths, blank):
    """With the true gradient of log_probs: torch's adds exp(log_probs), which the log_softmax before it takes out."""
    loss = F.ctc_loss(lp, targets, input_lengths, target_lengths, blank=blank, reduction="none")
    steps = torch.arange(lp.shape[0])[:, None] < input_lengths
    extra = (lp.exp().sum(-1) * steps).sum(0)
    return loss - (extra - extra.detach())


def large_speech(d, n):
    T, N, C = 100, max(n // 3200, 1), 32
    return [F.log_softmax(d.real([T, N, C]), -1), d.ints([N, 20], 1, C), torch.full([N], T), torch.full([N], 20)], {"blank": 0}


op("cross_entropy", lambda x, t: (F.cross_entropy(x, t, reduction="none"), x.logsumexp(-1)),
   (lambda d: (classes(d)[2], {}), lambda d, n: ([d.real(rows(n)), d.ints(rows(n)[:1], 0, 1024)], {})),
   peer=lambda x, t: F.cross_entropy(x, t, reduction="none"))
op("nll_loss", nll, weighted(False), constant=(2,), peer=lambda x, t, ignore_index: F.nll_loss(x, t, reduction="none"))
op("cross_entropy_loss", class_loss, weighted(True), constant=(2,),
   peer=lambda x, t, ignore_index, label_smoothing: F.cross_entropy(x, t, reduction="none", label_smoothing=label_smoothing))
op("linear_cross_entropy", projected_loss, projected(False))
op("linear_cross_entropy_gradients", projected_gradients, projected(True), **NO)
op("ctc_loss", ctc, (speech, large_speech), distinct=True, loosen=10,
   peer=lambda lp, t, i, j, blank: F.ctc_loss(lp, t, i, j, blank=blank, reduction="none"))
