import torch
import torch.nn.functional as F

from golden import case, draw


def cases():
    pair = lambda f: (lambda x, t, **attrs: f(x, t, reduction="none", **attrs))
    case("mse_loss", pair(F.mse_loss), [draw(2, 4), draw(2, 4)])
    case("l1_loss", pair(F.l1_loss), [draw(2, 4), draw(2, 4)])
    for delta in 1.0, 0.3:
        case("huber_loss", pair(F.huber_loss), [draw(2, 4), draw(2, 4)], {"delta": delta}, constant=(1,))
        case("smooth_l1_loss", pair(F.smooth_l1_loss), [draw(2, 4), draw(2, 4)], {"beta": delta}, constant=(1,))
    p, t = draw(2, 4, low=0.1, high=0.9), draw(2, 4, low=0, high=1)
    # PyTorch adds 1e-12 in the second derivative of its own
    case("binary_cross_entropy", lambda x, t: -(t * x.log() + (1 - t) * (1 - x).log()), [p, t], constant=(1,))
    logits = lambda x, t, w=None: F.binary_cross_entropy_with_logits(x, t, pos_weight=w, reduction="none")
    case("bce_with_logits", logits, [draw(2, 4, low=-5, high=5), t], constant=(1,))
    case("bce_with_logits", logits, [draw(2, 4), t, draw(4, low=0.5, high=3)], constant=(1, 2))
    case("kl_div", pair(F.kl_div), [draw(2, 4, low=-3, high=0), t + 0.1], {"log_target": False})
    case("kl_div", pair(F.kl_div), [draw(2, 4, low=-3, high=0), draw(2, 4, low=-3, high=0)], {"log_target": True})
