"""Vectors that transformers computes in float32 with all-MiniLM-L6-v2: minilm/texts.json (texts and their ids) and vectors.npy [texts, 384].

    python make_minilm.py $(tools/fetch_models minilm) OUT

The mean of the last states, of length 1, a text at a time and cut at the model's 512 positions. Needs PyPI: torch, transformers, numpy.
"""
import json, pathlib, sys
import numpy as np, torch, transformers

TEXTS = [
    "A fox runs through the snow.", "An animal is moving over a white field.", "The bank raised its interest rate by half a percent.",
    "He sat on the bank of the river and fished.", "How do I reset my password?", "I cannot log in any more; what should I do?",
    "def mean(xs): return sum(xs) / len(xs)", "HTTP 404: the page /index.html?id=42&x=%20 was not found", "", " ", "?!", "naïve café, Ångström, İstanbul, 𝒳",
    "床前明月光，疑是地上霜。", "举头望明月，低头思故乡。", "今天天气很好，我们去公园散步吧。", "机器学习 machine learning 深度学习 deep learning", "😀 👍🏽 ❤️",
    "supercalifragilisticexpialidocious" * 8,
    " ".join(f"Sentence {i} of a report says that the value rose from {i * 3} to {i * 7 % 50} units." for i in range(20)),  # below 512 ids
    " ".join(f"In chapter {i} the traveller crosses river number {i} and counts the stones." for i in range(60)),  # above
    "春江潮水连海平，海上明月共潮生。" * 40,
]
model_folder, out = sys.argv[1], pathlib.Path(sys.argv[2])
model = transformers.BertModel.from_pretrained(model_folder, dtype=torch.float32, attn_implementation="eager", add_pooling_layer=False).eval()
tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=f"{model_folder}/tokenizer.json")
ids = [tokenizer(t, truncation=True, max_length=512)["input_ids"] for t in TEXTS]
vectors = []
with torch.no_grad():
    for row in ids:
        mean = model(torch.tensor([row])).last_hidden_state[0].mean(0)
        vectors.append((mean / mean.norm()).numpy())
out.mkdir(parents=True, exist_ok=True)
np.save(out / "vectors.npy", np.stack(vectors))
made = f"transformers {transformers.__version__}, torch {torch.__version__.split('+')[0]}"
(out / "texts.json").write_text(json.dumps(dict(made_with=made, texts=TEXTS, ids=ids), ensure_ascii=False) + "\n", encoding="utf-8")
