from golden import case, draw


def cases():
    unfold = lambda x, axis, size, step: x.unfold(axis, size, step)
    case("unfold", unfold, [draw(7)], {"axis": 0, "size": 3, "step": 1})
    case("unfold", unfold, [draw(2, 7, 2)], {"axis": 1, "size": 2, "step": 2})
