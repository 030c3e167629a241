import torch

from golden import case, draw


def gru(p, h0, w, b):
    # The input projection is the identity: p stands for x w_ih^T + b_ih.
    cell = torch.nn.GRUCell(p.shape[-1], w.shape[1])
    weights = {"weight_ih": torch.eye(p.shape[-1]), "weight_hh": w, "bias_ih": torch.zeros(p.shape[-1]), "bias_hh": b}
    y = []
    for t in range(p.shape[1]):
        h0 = torch.func.functional_call(cell, weights, (p[:, t], h0))
        y.append(h0)
    return torch.stack(y, 1)


def gru_backward(p, h0, w, b, y, g):
    T, dh, dps, dqs = p.shape[1], 0, [], []
    for t in reversed(range(T)):
        h = y[:, t - 1] if t else h0
        (pr, pz, pn), (qr, qz, qn) = p[:, t].chunk(3, -1), (h @ w.T + b).chunk(3, -1)
        r, z = torch.sigmoid(pr + qr), torch.sigmoid(pz + qz)
        n = torch.tanh(pn + r * qn)
        up = g[:, t] + dh
        dn, dz = up * (1 - z) * (1 - n * n), up * (h - n) * z * (1 - z)
        dr = dn * qn * r * (1 - r)
        dps.insert(0, torch.cat([dr, dz, dn], 1))
        dqs.insert(0, torch.cat([dr, dz, dn * r], 1))
        dh = up * z + dqs[0] @ w
    return torch.stack(dps, 1), torch.stack(dqs, 1), dh


def cases():
    inputs = [draw(2, 3, 6), draw(2, 2), draw(6, 2), draw(6)]
    case("gru", gru, inputs)
    case("gru_backward", gru_backward, inputs + [draw(2, 3, 2, low=-1.0, high=1.0) for _ in range(2)])
