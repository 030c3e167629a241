"""Tiny random encoders as sentence-transformers lays them out, with the vectors that it computes in float32.

One folder a model: the files that sentence-transformers saves, and reference.json: texts, their ids and vectors. Every parameter is random,
norms and biases too, so that a forgotten one shows. Needs PyPI: torch, transformers, sentence-transformers, tokenizers, numpy.

    python make_embedding.py OUT
"""
import json, pathlib, shutil, sys
import tokenizers, torch, transformers
from sentence_transformers import SentenceTransformer, __version__
from sentence_transformers.models import Normalize, Pooling, Transformer
from tokenizers import models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast, RobertaConfig, RobertaModel, XLMRobertaConfig, XLMRobertaModel

CORPUS = [
    "The quick brown fox jumps over the lazy dog, and the dog sleeps on.", "A model reads words and gives numbers; near numbers mean near words.",
    "床前明月光，疑是地上霜。", "举头望明月，低头思故乡。", "Der Fluß fließt über die Brücke, naïve café façade.", "one two three four five six seven eight nine ten",
]
TEXTS = CORPUS[:5] + [
    "", " ", "dog", "Dog!", "fox fox fox", "ten nine eight", "unknown: \u2603 \U0001f98a zzz", "e\u0301tude CAF\u00c9", "tab\tand\u00a0space", "明月",
    "[SEP] inside", "x" * 120, " ".join(["one two three four five six seven"] * 6),
]
SIZES = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4)


def word_piece():
    t = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer()
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    t.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=160, special_tokens=special, show_progress=False))
    t.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[(s, t.token_to_id(s)) for s in ("[CLS]", "[SEP]")])
    return PreTrainedTokenizerFast(tokenizer_object=t, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]")


def byte_bpe():
    t = tokenizers.Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=300, special_tokens=special, show_progress=False,
                                                      initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    t.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False)
    return PreTrainedTokenizerFast(tokenizer_object=t, pad_token="<pad>", unk_token="<unk>", cls_token="<s>", sep_token="</s>", mask_token="<mask>")


def unigram():
    t = tokenizers.Tokenizer(models.Unigram())
    t.normalizer = normalizers.NFKC()
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    t.train_from_iterator(CORPUS, trainers.UnigramTrainer(vocab_size=140, special_tokens=special, unk_token="<unk>", show_progress=False))
    t.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    return PreTrainedTokenizerFast(tokenizer_object=t, pad_token="<pad>", unk_token="<unk>", cls_token="<s>", sep_token="</s>")


def randomize(model):
    g = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, p in sorted(model.named_parameters()):
            r = torch.randn(p.shape, generator=g)
            p.copy_(1 + 0.2 * r if "LayerNorm.weight" in name else 0.2 * r if p.dim() == 1 else 0.7 * r if "embeddings" in name else r * 1.3 / p.shape[-1] ** 0.5)


def older_layout(folder, longest):
    """The settings as versions before 5 wrote them, where published models have them."""
    kinds = ["Transformer", "Pooling", "Normalize"]
    modules = [dict(idx=i, name=str(i), path="" if i == 0 else f"{i}_{k}", type=f"sentence_transformers.models.{k}") for i, k in enumerate(kinds)]
    (folder / "modules.json").write_text(json.dumps(modules, indent=2))
    (folder / "sentence_bert_config.json").write_text(json.dumps(dict(max_seq_length=longest, do_lower_case=False)))
    (folder / "1_Pooling/config.json").write_text(json.dumps(dict(
        word_embedding_dimension=32, pooling_mode_cls_token=False, pooling_mode_mean_tokens=True, pooling_mode_max_tokens=False,
        pooling_mode_mean_sqrt_len_tokens=False)))
    (folder / "tokenizer_config.json").unlink()


def build(out, name, model, tokenizer, pooling, normalize, longest):
    randomize(model)
    folder, bare = out / name, out / (name + ".bare")
    for d in (folder, bare):
        shutil.rmtree(d, ignore_errors=True)
    model.save_pretrained(bare)
    tokenizer.save_pretrained(bare)
    first = Transformer(str(bare), max_seq_length=longest)
    parts = [first, Pooling(model.config.hidden_size, pooling_mode=pooling)] + ([Normalize()] if normalize else [])
    sentence = SentenceTransformer(modules=parts, device="cpu").eval()
    sentence.save(str(folder), create_model_card=False)
    shutil.rmtree(bare)
    sentence = SentenceTransformer(str(folder), device="cpu").eval()
    vectors = [sentence.encode([t], convert_to_numpy=True)[0] for t in TEXTS]
    ids = [sentence.tokenizer(t, truncation=True, max_length=longest)["input_ids"] for t in TEXTS]
    (folder / "reference.json").write_text(json.dumps(dict(
        texts=TEXTS, ids=ids, vectors=[[round(float(x), 8) for x in v] for v in vectors],
        made_with=f"sentence-transformers {__version__}, transformers {transformers.__version__}, torch {torch.__version__.split('+')[0]}")) + "\n")
    if name == "bert":
        older_layout(folder, longest)
    for file in ("README.md", "special_tokens_map.json", "config_sentence_transformers.json"):
        (folder / file).unlink(missing_ok=True)


def main(out):
    word, byte, uni = word_piece(), byte_bpe(), unigram()
    build(out, "bert", BertModel(BertConfig(**SIZES, vocab_size=len(word), max_position_embeddings=64, pad_token_id=0)), word, "mean", True, 64)
    build(out, "roberta", RobertaModel(RobertaConfig(**SIZES, vocab_size=len(byte), max_position_embeddings=66, type_vocab_size=1, layer_norm_eps=1e-5,
                                                     hidden_act="gelu_new"), add_pooling_layer=False), byte, "cls", False, 40)
    build(out, "xlm-roberta", XLMRobertaModel(XLMRobertaConfig(**SIZES, vocab_size=len(uni), max_position_embeddings=34, type_vocab_size=1, layer_norm_eps=1e-5,
                                                               hidden_act="relu")), uni, "max", True, 32)


main(pathlib.Path(sys.argv[1]))
