"""The peer of `suiren bench --peer PYTHON`: PyTorch, Hugging Face's tokenizers and llama.cpp at the same work.

    python bench/peer.py --threads 2        (suiren bench starts it; a person can type the questions)

First line out: {"peer": versions}. Then for each line in, one out (suiren/bench/peer.h):
    {"kind": "matmul", "m": 64, "n": 64, "k": 64, "layout": "nt", "dtype": "f32", "seconds": 0.5}
      ->  {"seconds": 1.2e-05, "mode": "eager"}
"seconds" is the fastest call; "memory" the peak of the process less its base, in bytes. What cannot be done is {"error": why}.
Operands stay from turn to turn. Needs PyPI torch, tokenizers for `encode` and `bpe`, and
llama-cpp-python for `prefill` and `decode`.
"""
import argparse
import hashlib
import json
import os
import struct
import sys
import time

parser = argparse.ArgumentParser()
parser.add_argument("--threads", type=int, default=2)
THREADS = parser.parse_args().threads
os.environ["RAYON_NUM_THREADS"] = str(THREADS)  # for learning; one text is encoded on one thread
os.environ["OMP_NUM_THREADS"] = str(THREADS)
os.environ["OMP_PROC_BIND"] = "close"  # else two threads at times share a core, and the peer is slow by chance
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402

torch.set_num_threads(THREADS)
answers = os.fdopen(os.dup(1), "w")  # what libraries print goes to standard error
os.dup2(2, 1)
DECODE = 64  # tokens a call, as suiren/bench/inference.cpp
PAUSE = 0.25  # until torch's threads, which spin for a while, have let the cores go


def seconds_of(call, times):
    start = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - start) / times


def fastest(call, seconds):
    """As suiren counts: the best of calls for so long, several at once when they are short."""
    begin = time.perf_counter()
    best = seconds_of(call, 1)
    times = int(min(max(2e-4 / best, 1), 1000))
    while True:
        best = min(best, seconds_of(call, times))
        if time.perf_counter() - begin >= seconds:
            return best


def peak_bytes():
    """Of this program alone; getrusage counts the one that started it too."""
    with open("/proc/self/status") as f:
        return next(1024 * int(line.split()[1]) for line in f if line.startswith("VmHWM"))


def dtype(q):
    return {"f32": torch.float32, "bf16": torch.bfloat16}[q["dtype"]]


def matmul(q):
    m, n, k, layout = q["m"], q["n"], q["k"], q["layout"]

    def factor(rows, columns, turned):
        if q["dtype"] == "i8":
            x = torch.randint(-127, 128, (columns, rows) if turned else (rows, columns), dtype=torch.int8)
            return x.t() if turned else x
        return torch.randn(columns, rows, dtype=dtype(q)).t() if turned else torch.randn(rows, columns, dtype=dtype(q))
    a, b = factor(m, k, layout[0] == "t"), factor(k, n, layout[1] == "t")
    return {"eager": lambda: torch._int_mm(a, b) if q["dtype"] == "i8" else a @ b}, {}


def attention(q):
    shape = (1, q["heads"], q["length"], q["head"])
    queries, keys, values = (torch.randn(shape, dtype=dtype(q), requires_grad=True) for _ in range(3))
    gradient = torch.randn(shape, dtype=dtype(q))

    def call():
        y = F.scaled_dot_product_attention(queries, keys, values, is_causal=True)
        torch.autograd.grad(y, (queries, keys, values), gradient)
    return {"eager": call}, {}


def adamw(q):
    weights = [torch.randn(q["rows"], q["columns"], requires_grad=True) for _ in range(q["tensors"])]
    for w in weights:
        w.grad = torch.randn_like(w) * 1e-3
    optimizer = torch.optim.AdamW(weights, lr=1e-4, weight_decay=0.1, fused=True)
    return {"fused": optimizer.step}, {}


class Layer(torch.nn.Module):
    """A Llama block: norm, rotary attention, norm, gated feed-forward; the products of one input in one."""

    def __init__(self, q):
        super().__init__()
        width, inner, eps = q["hidden_size"], q["intermediate_size"], q["rms_norm_eps"]
        self.heads = q["num_attention_heads"]
        self.before_attention, self.before_mlp = torch.nn.RMSNorm(width, eps=eps), torch.nn.RMSNorm(width, eps=eps)
        self.qkv = torch.nn.Linear(width, 3 * width, bias=False)
        self.merge = torch.nn.Linear(width, width, bias=False)
        self.gate_up = torch.nn.Linear(width, 2 * inner, bias=False)
        self.down = torch.nn.Linear(inner, width, bias=False)

    def forward(self, x, cos, sin):
        batch, length, width = x.shape
        qkv = self.qkv(self.before_attention(x)).view(batch, length, 3, self.heads, width // self.heads)
        q, k, v = (t.transpose(1, 2) for t in qkv.unbind(2))

        def turn(t):
            first, second = t.chunk(2, dim=-1)
            return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)
        mixed = F.scaled_dot_product_attention(turn(q), turn(k), v, is_causal=True)
        x = x + self.merge(mixed.transpose(1, 2).reshape(batch, length, width))
        gate, up = self.gate_up(self.before_mlp(x)).chunk(2, dim=-1)
        return x + self.down(F.silu(gate) * up)


class Model(torch.nn.Module):
    def __init__(self, q):
        super().__init__()
        width, half = q["hidden_size"], q["hidden_size"] // q["num_attention_heads"] // 2
        self.embed = torch.nn.Embedding(q["vocab_size"], width)
        self.layers = torch.nn.ModuleList(Layer(q) for _ in range(q["num_hidden_layers"]))
        self.norm = torch.nn.RMSNorm(width, eps=q["rms_norm_eps"])
        angles = torch.outer(torch.arange(q["length"]).float(), 10000.0 ** (-torch.arange(half) / half))
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())
        for p in self.parameters():
            if p.dim() > 1:
                torch.nn.init.normal_(p, std=0.02)

    def forward(self, ids, targets):
        x = self.embed(ids)
        for layer in self.layers:
            x = layer(x, self.cos, self.sin)
        logits = F.linear(self.norm(x), self.embed.weight)  # tied
        return F.cross_entropy(logits.view(-1, logits.shape[-1]).float(), targets.view(-1))


def train(q):
    """Eager and compiled steps of one model: forward, backward, clipping, fused AdamW. The memory is eager's."""
    base = peak_bytes()
    model = Model(q)
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)

    def step(forward):
        tokens = torch.randint(q["vocab_size"], (q["sequences"], q["length"] + 1))
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype(q) is torch.bfloat16):
            loss = forward(tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        return loss.item()
    for _ in range(3):
        step(model)
    memory = peak_bytes() - base
    modes = {"eager": lambda: step(model)}
    more = {"memory": memory}
    try:
        compiled = torch.compile(model)
        step(compiled)
        modes["compile"] = lambda: step(compiled)
    except Exception as e:  # no compiler on this machine: eager is the best mode
        more["note"] = "torch.compile failed: " + str(e).splitlines()[0]
    return modes, more


def text_of(q):
    with open(q["text"], encoding="utf-8", newline="") as f:
        return f.read()


def bpe(q):
    """Learning from one text with the pattern of our tokenizer; the merges have to be ours."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    ours, text = Tokenizer.from_file(q["tokenizer"]), text_of(q)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())

    def learn():
        fresh = Tokenizer(models.BPE())
        fresh.pre_tokenizer = ours.pre_tokenizer
        fresh.train_from_iterator([text], trainers.BpeTrainer(
            vocab_size=q["vocabulary"], special_tokens=["<|endoftext|>"], initial_alphabet=alphabet, show_progress=False))
        return fresh

    def merges(tokenizer):
        return json.loads(tokenizer.to_str())["model"]["merges"]
    return {"tokenizers": learn}, {"same": merges(learn()) == merges(ours)}


def encode(q):
    from tokenizers import Tokenizer
    tokenizer, text = Tokenizer.from_file(q["tokenizer"]), text_of(q)
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    return {"tokenizers": lambda: tokenizer.encode(text, add_special_tokens=False)}, {
        "digest": hashlib.sha256(struct.pack(f"<{len(ids)}I", *ids)).hexdigest()}


def llama(q, positions):
    import llama_cpp
    model = llama_cpp.Llama(q["model"], n_ctx=positions, n_threads=THREADS, n_threads_batch=THREADS, n_batch=512,
                            verbose=False)
    ids = torch.randint(100, model.n_vocab() - 100, (positions,)).tolist()
    return model, ids


def prefill(q):
    model, ids = llama(q, q["context"] + 8)

    def call():
        model.reset()
        model.eval(ids[:q["context"]])
    return {"llama.cpp": call}, {}


def decode(q):
    model, ids = llama(q, q["context"] + DECODE + 8)
    model.eval(ids[:q["context"]])

    def call():
        model.n_tokens = q["context"]
        for i in range(DECODE):
            model.eval([ids[i]])
    return {"llama.cpp": call}, {}


KINDS = {f.__name__: f for f in (matmul, attention, adamw, train, encode, bpe, prefill, decode)}
known = {}  # question without its seconds -> the calls to time, by mode, and more to say


def answer(question):
    seconds = question.pop("seconds")
    key = json.dumps(question, sort_keys=True)
    if key not in known:
        known.clear()  # of the figure before
        torch.manual_seed(1)
        known[key] = KINDS[question["kind"]](question)
        for call in known[key][0].values():
            call()
    modes, more = known[key]
    times = {mode: fastest(call, seconds / len(modes)) for mode, call in modes.items()}
    mode = min(times, key=times.get)
    return dict(more, seconds=times[mode], mode=mode)


def versions():
    names = ["torch " + torch.__version__.split("+")[0]]
    try:
        import tokenizers
        names.append("tokenizers " + tokenizers.__version__)
    except ImportError:
        pass
    return ", ".join(names)


print(json.dumps({"peer": versions()}), file=answers, flush=True)
for line in sys.stdin:
    try:
        reply = answer(json.loads(line))
    except Exception as e:
        reply = {"error": f"{type(e).__name__}: {e}"}
    time.sleep(PAUSE)
    print(json.dumps(reply), file=answers, flush=True)
