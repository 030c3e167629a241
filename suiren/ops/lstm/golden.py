import torch

from golden import case, draw


def gates(p, h, w):
    i, f, g, o = (p + h @ w.T).chunk(4, -1)
    return torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)


def lstm(p, h0, c0, w):
    # The input projection is the identity: p stands for x w_ih^T + b_ih + b_hh.
    cell = torch.nn.LSTMCell(p.shape[-1], w.shape[1], bias=False)
    y, c = [], []
    for t in range(p.shape[1]):
        weights = {"weight_ih": torch.eye(p.shape[-1]), "weight_hh": w}
        h0, c0 = torch.func.functional_call(cell, weights, (p[:, t], (h0, c0)))
        y.append(h0), c.append(c0)
    return torch.stack(y, 1), torch.stack(c, 1)


def lstm_backward(p, h0, c0, w, y, c, g_y, g_c):
    T, dh, dc, dp = p.shape[1], 0, 0, []
    for t in reversed(range(T)):
        h, before = (y[:, t - 1], c[:, t - 1]) if t else (h0, c0)
        i, f, g, o = gates(p[:, t], h, w)
        u = torch.tanh(c[:, t])
        up = g_y[:, t] + dh
        d = g_c[:, t] + up * o * (1 - u * u) + dc
        da = torch.cat([d * g * i * (1 - i), d * before * f * (1 - f), d * i * (1 - g * g), up * u * o * (1 - o)], 1)
        dp.insert(0, da)
        dh, dc = da @ w, d * f
    return torch.stack(dp, 1), dh, dc


def cases():
    inputs = [draw(2, 3, 8), draw(2, 2), draw(2, 2), draw(8, 2)]
    case("lstm", lstm, inputs)
    case("lstm_backward", lstm_backward, inputs + [draw(2, 3, 2, low=-1.0, high=1.0) for _ in range(4)])
