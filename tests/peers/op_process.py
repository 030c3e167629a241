"""suiren's side of the comparisons: one process of peer_op_runner that runs any op on tensors of torch."""
import json
import math
import os
import subprocess

import torch

NAMES = {torch.float64: "f64", torch.float32: "f32", torch.int64: "i64", torch.int32: "i32", torch.int8: "i8",
         torch.uint8: "u8", torch.bool: "bool"}
DTYPES = {name: dtype for dtype, name in NAMES.items()}


def raw(t):
    return t.detach().contiguous().numpy().tobytes()


def storage_of(t):
    """Everything from the first byte of t's storage on, as one row."""
    return torch.as_strided(t.detach(), (t.untyped_storage().nbytes() // t.element_size(),), (1,), 0)


class Refused(Exception):
    """suiren's error message."""


class Suiren:
    def __init__(self, program, threads=2, cores=None):
        """cores: those that it may run on; None: those of this thread."""
        settle = cores and (lambda: os.sched_setaffinity(0, cores))
        self.pipe = subprocess.Popen([program, str(threads)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     preexec_fn=settle)

    def close(self):
        self.pipe.stdin.close()
        return self.pipe.wait()

    def ask(self, request, parts=()):
        self.pipe.stdin.write(json.dumps(request).encode() + b"\n")
        for part in parts:
            self.pipe.stdin.write(part)
        self.pipe.stdin.flush()
        line = self.pipe.stdout.readline()
        if not line:
            raise SystemExit(f"the runner ended with status {self.pipe.wait()} on {request}")
        answer = json.loads(line)
        if "error" in answer:
            raise Refused(answer["error"])
        return answer

    def read(self, described):
        tensors = []
        for t in described:
            dtype = DTYPES[t["dtype"]]
            count = math.prod(t["shape"])
            data = self.pipe.stdout.read(count * dtype.itemsize)
            flat = torch.frombuffer(bytearray(data), dtype=dtype) if count else torch.empty(0, dtype=dtype)
            tensors.append(flat.reshape(t["shape"]))
        return tensors

    def run(self, op, attrs, inputs, wants, grads):
        """{outputs}, {gradients of the inputs that `wants` says}; grads: one an output, None: none flows into it."""
        stores = [storage_of(t) for t in inputs]
        request = {"op": op, "attrs": attrs, "wants": wants, "inputs": [
            {"dtype": NAMES[t.dtype], "shape": list(t.shape), "strides": list(t.stride()), "offset": t.storage_offset(),
             "elements": s.numel()} for t, s in zip(inputs, stores)],
            "grads": [g if g is None else {"dtype": NAMES[g.dtype], "shape": list(g.shape)} for g in grads]}
        answer = self.ask(request, [raw(t) for t in stores] + [raw(g) for g in grads if g is not None])
        return self.read(answer["outputs"]), self.read(answer["grads"])

    def microseconds(self, seconds, backward):
        """Of the last case again: the fastest round."""
        return self.ask({"seconds": seconds, "backward": backward})["microseconds"]
