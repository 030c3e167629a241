"""The files of a small chat model beside its weights, and what transformers makes of them.

Writes chat/: tokenizer.json (byte-level BPE whose post-processor adds BOS), tokenizer_config.json, chat_template.jinja,
generation_config.json, and reference.json: {"sampling", "end_tokens", "texts": [{"text", "ids"}], "conversations":
[{"messages", "text", "ids"}]}. Needs PyPI: torch, tokenizers, transformers.

    python make_chat.py
"""
import json, pathlib
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, GenerationConfig, PreTrainedTokenizerFast

OUT = pathlib.Path(__file__).parent / "chat"
TEMPLATE = """{{- bos_token }}
{%- for message in messages %}
    {{- '<|' + message['role'] + '|>\\n' + message['content'] | trim + eos_token + '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|assistant|>\\n' }}
{%- endif %}
"""


def main():
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    special = ["<s>", "</s>", "<|system|>", "<|user|>", "<|assistant|>"]
    t.train_from_iterator(["the cat sat on the mat and the rat ate the hat", "one and one is two", "你好，世界"] * 3,
                          trainers.BpeTrainer(vocab_size=300, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=special,
                                              show_progress=False))
    t.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    wrapped = PreTrainedTokenizerFast(tokenizer_object=t, bos_token="<s>", eos_token="</s>", chat_template=TEMPLATE)
    wrapped.save_pretrained(OUT)
    GenerationConfig(bos_token_id=0, eos_token_id=[1, 3], do_sample=True, temperature=0.6, top_p=0.95, top_k=20,
                     repetition_penalty=1.05).save_pretrained(OUT)

    fast = AutoTokenizer.from_pretrained(OUT)
    config = GenerationConfig.from_pretrained(OUT)
    texts = ["the cat", "", "你好 <|user|> the hat", " 😀"]
    conversations = [
        [{"role": "user", "content": "the cat?"}],
        [{"role": "system", "content": " the mat \n"}, {"role": "user", "content": "你好"}],
        [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}, {"role": "user", "content": ""}],
    ]
    reference = {
        "sampling": {k: getattr(config, k) for k in ("temperature", "top_p", "top_k", "repetition_penalty")},
        "end_tokens": config.eos_token_id,
        "texts": [{"text": x, "ids": fast(x)["input_ids"]} for x in texts],
        "conversations": [{"messages": m, "text": fast.apply_chat_template(m, tokenize=False, add_generation_prompt=True),
                           "ids": fast.apply_chat_template(m, add_generation_prompt=True, return_dict=False)} for m in conversations],
    }
    (OUT / "reference.json").write_text(json.dumps(reference, ensure_ascii=False, indent=1) + "\n")


main()
