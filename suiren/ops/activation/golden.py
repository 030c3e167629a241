import torch
import torch.nn.functional as F

from golden import case, draw


def cases():
    for slope in 0.01, -0.5:
        case("leaky_relu", lambda x, slope: F.leaky_relu(x, slope), [draw(2, 4)], {"slope": slope})
    for alpha in 1.0, 0.25:  # PyTorch rounds 1 / alpha to f32
        case("elu", lambda x, alpha: F.elu(x, alpha), [draw(2, 4)], {"alpha": alpha})
        case("celu", lambda x, alpha: F.celu(x, alpha), [draw(2, 4)], {"alpha": alpha})
    for beta, threshold in (1.0, 20.0), (2.0, 1.5):
        softplus = lambda x, beta, threshold: F.softplus(x, beta, threshold)
        case("softplus", softplus, [draw(2, 4)], {"beta": beta, "threshold": threshold})
    case("prelu", lambda x, w: F.prelu(x, w.reshape(-1)), [draw(2, 3, 4), draw(3, 1)])
    case("prelu", lambda x, w: F.prelu(x, w), [draw(2, 3), draw(1)])
    case("glu", lambda x, axis: F.glu(x, axis), [draw(2, 6)], {"axis": 1})
    case("glu", lambda x, axis: F.glu(x, axis), [draw(2, 4, 3)], {"axis": 1})
    slopes = lambda g, x, slope: torch.where(x > 0, g, slope * g)
    case("leaky_relu_backward", slopes, [draw(2, 4), draw(2, 4)], {"slope": -0.5})
