"""Makes the goldens of this folder: the small models of tests/golden/families as llama.cpp's own converter writes them, without a tokenizer.

    python make_gguf.py LLAMA_CPP [FOLDER]

LLAMA_CPP is a checkout of llama.cpp with conversion/ and gguf-py/; made with the release that npm's node-llama-cpp 3.22.1 carries
(llama/gitRelease.bundle). FOLDER gets a GGUF file per family; of them a few stand here. families.json lists what all of them hold:
metadata, and of each tensor the format, the shape (row-major) and the SHA-256 of its bytes.
"""
import hashlib, json, pathlib, shutil, sys, tempfile

HERE = pathlib.Path(__file__).resolve().parent
source, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else tempfile.mkdtemp())
sys.path[:0] = [str(source / "gguf-py"), str(source)]
import conversion, gguf
from conversion.base import ModelBase

KEPT = ["deepseek_v3", "gemma2", "gpt2", "gpt_oss", "llama3-rope", "mixtral", "phi3-longrope", "qwen2_moe"]


def convert(folder, path):
    hparams = ModelBase.load_hparams(folder, False)
    model_class = conversion.get_model_class(hparams["architectures"][0])
    vocabulary = {str(i): i for i in range(hparams["vocab_size"])}  # Gemma's converter counts it
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": vocabulary}, "added_tokens": []}))
    if hparams["model_type"] == "gpt2": hparams["n_ctx"] = hparams["n_positions"]
    model = model_class(folder, gguf.LlamaFileType.ALL_F32, path, hparams=hparams)
    model.set_vocab = lambda: None
    model.write()


def listing(path):
    reader = gguf.GGUFReader(path)
    skip = lambda k: k.startswith("GGUF.") or (k.startswith("general.") and k != "general.architecture")
    values = {k: f.contents() for k, f in reader.fields.items() if not skip(k)}
    tensors = {t.name: [t.tensor_type.name.lower(), [int(n) for n in reversed(t.shape)], hashlib.sha256(t.data.tobytes()).hexdigest()] for t in reader.tensors}
    return {"metadata": values, "tensors": tensors}


families = {}
out.mkdir(parents=True, exist_ok=True)
for folder in sorted((HERE.parent / "families").iterdir()):
    if not (folder / "model.safetensors").exists(): continue
    path = out / f"{folder.name}.gguf"
    with tempfile.TemporaryDirectory() as copy:
        convert(pathlib.Path(shutil.copytree(folder, f"{copy}/{folder.name}")), path)
    families[folder.name] = listing(path)
    if folder.name in KEPT: (HERE / path.name).write_bytes(path.read_bytes())
lines = [f" {json.dumps(k)}: {json.dumps(v, sort_keys=True)}" for k, v in sorted(families.items())]
(HERE / "families.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
