"""PyTorch's gradient of log_probs holds only behind a log_softmax: values and that gradient are asserted to be
PyTorch's, the cases are those of the same recursion written out."""

import torch
import torch.nn.functional as F

from golden import case, draw


def path_sum(lp, target, blank):
    """ln of the sum over paths through lp [T, C]."""
    states = [blank]
    for label in target:
        states += [label, blank]
    alpha = [lp[0, s] if i < 2 else None for i, s in enumerate(states)]
    for t in range(1, len(lp)):
        following = []
        for i, s in enumerate(states):
            jump = i > 1 and s != blank and s != states[i - 2]
            ways = [alpha[j] for j in (i, i - 1, i - 2)[:3 if jump else 2] if j >= 0 and alpha[j] is not None]
            following.append(torch.logsumexp(torch.stack(ways), 0) + lp[t, s] if ways else None)
        alpha = following
    ends = [a for a in alpha[-2:] if a is not None]
    return torch.logsumexp(torch.stack(ends), 0)


def ctc(lp, targets, input_lengths, target_lengths, blank):
    rows = zip(input_lengths.tolist(), target_lengths.tolist())
    return torch.stack([-path_sum(lp[:T, n], targets[n, :S].tolist(), blank) for n, (T, S) in enumerate(rows)])


def backward(g, lp, targets, input_lengths, target_lengths, blank):
    leaf = lp if lp.requires_grad else lp.requires_grad_()
    return torch.autograd.grad(ctc(leaf, targets, input_lengths, target_lengths, blank), leaf, g, create_graph=True)[0]


def cases():
    x = draw(5, 3, 4)
    inputs = torch.tensor([5, 4, 5]), torch.tensor([3, 2, 0])
    targets = torch.tensor([[1, 1, 2], [3, 1, 1], [1, 2, 3]])
    grads = []
    for f in ctc, lambda *a: F.ctc_loss(a[0], *a[1:4], blank=a[4], reduction="none"):
        leaf = x.clone().requires_grad_()
        losses = f(F.log_softmax(leaf, -1), targets, *inputs, 0)
        grads.append((losses.detach(), torch.autograd.grad(losses.sum(), leaf)[0]))
    for ours, theirs in zip(*grads):
        torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-12)
    lp = torch.round(F.log_softmax(x, -1) * 1000) / 1000
    case("ctc_loss", ctc, [lp, targets, *inputs], {"blank": 0})
    case("ctc_loss", ctc, [lp[:, :2], torch.tensor([[0, 1], [2, 2]]), torch.tensor([4, 5]), torch.tensor([2, 2])],
         {"blank": 3})
    case("ctc_loss_backward", backward, [draw(3), lp, targets, *inputs], {"blank": 0})
