"""A line of the table: what PyTorch calls an op, and how its cases are drawn."""
from dataclasses import dataclass

TABLE = {}


@dataclass
class Row:
    op: str
    torch: object          # f(*inputs, **attributes by the names of the op's fields): a tensor or several
    small: object          # draw(d): a random case for the comparison
    large: dict            # variant -> draw(d, n): about n elements for timings
    memory: bool = False   # bound by memory: at most some ten operations for an element that is moved
    gradient: bool = True  # False: torch's is zero or not defined, ours is refused
    constant: tuple = ()   # inputs that take no gradient
    distinct: bool = False  # inputs must not be repeated by a broadcasting layout
    dtypes: tuple = ("f64", "f32")
    loosen: float = 1.0    # multiplies the tolerance
    why: str = ""          # explains a difference of up to `up_to` tolerances
    up_to: float = 1e5
    peer: object = None    # what is timed in place of `torch`


def op(name, f, family, **options):
    small, large = family
    large = large if isinstance(large, dict) else {"": large} if large else {}
    assert name not in TABLE, name
    TABLE[name] = Row(name, f, small, large, **options)


def moved(name, f, family, **options):
    """An op that is bound by memory."""
    op(name, f, family, memory=True, **options)


NO = {"gradient": False}

OWN_RANDOM = "random numbers are a function of (seed, stream, place) here and a state in torch: no two agree"
WITHOUT = {name: OWN_RANDOM for name in (
    "uniform", "normal", "exponential", "randint", "bernoulli", "multinomial", "randperm", "dropout")}
WITHOUT["scan"] = "torch has no linear recurrence; compared through cumprod, whose gradient it is"
WITHOUT["conv_weight_gradient"] = "compared as the gradient of conv"
WITHOUT["matmul_accumulate"] = "writes in place; compared as matmul_sum"
WITHOUT["linear_cross_entropy_accumulate"] = "writes in place; compared as linear_cross_entropy_gradients"
WITHOUT |= {name: "torch has no blocks; gguf_check.py compares them with PyPI gguf" for name in (
    "quantize_blocks", "dequantize_blocks", "quantized_linear")}


def reason_without(name):
    """Why an op has no line: in words, or None."""
    base = name.removesuffix("_backward")
    if base != name and base in TABLE:
        return f"compared as the gradient of {base}"
    return WITHOUT.get(name)
