import torch.nn.functional as F

from golden import case, draw


def cases():
    cosine = lambda a, b, axis, eps: F.cosine_similarity(a, b, axis, eps)
    case("cosine_similarity", cosine, [draw(2, 4), draw(2, 4)], {"axis": 1, "eps": 1e-8})
    case("cosine_similarity", cosine, [draw(3, 2, 2), draw(3, 2, 2)], {"axis": 0, "eps": 1e-3})
