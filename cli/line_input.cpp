#include "cli/line_input.h"

#include <histedit.h>
#include <langinfo.h>
#include <unistd.h>

#include <clocale>
#include <cstdio>
#include <cstring>
#include <cwchar>
#include <iostream>

namespace suiren::cli {
namespace {

constexpr std::string_view kFence = "\"\"\"";
constexpr int kHistoryLines = 1000;

// The editor reads characters of the terminal's encoding; a C locale would make bytes of them.
void use_utf8() {
  std::setlocale(LC_CTYPE, "");
  if (std::strcmp(nl_langinfo(CODESET), "UTF-8") != 0) std::setlocale(LC_CTYPE, "C.UTF-8");
}

}  // namespace

struct LineInput::Editor {
  Editor() : history(history_init()), line(el_init("suiren", stdin, stdout, stderr)) {
    HistEvent event;
    ::history(history, &event, H_SETSIZE, kHistoryLines);
    ::history(history, &event, H_SETUNIQUE, 1);
    el_set(line, EL_CLIENTDATA, this);
    el_set(line, EL_PROMPT, prompt);
    el_set(line, EL_EDITOR, "emacs");
    // Ctrl-C is a key of the editor, not a signal: one that falls between two reads would be lost.
    el_set(line, EL_SETTY, "-d", "-isig", nullptr);
    el_wset(line, EL_ADDFN, L"break-off", L"leave the line", break_off);  // el_set leaks copies of both
    el_set(line, EL_BIND, "^C", "break-off", nullptr);
    el_set(line, EL_HIST, ::history, history);
  }
  ~Editor() {
    el_end(line);
    history_end(history);
  }
  static Editor& of(EditLine* line) {
    Editor* self = nullptr;
    el_get(line, EL_CLIENTDATA, &self);
    return *self;
  }
  static char* prompt(EditLine* line) {
    static char first[] = "> ", next[] = ". ";
    return of(line).more ? next : first;
  }
  static unsigned char break_off(EditLine* line, wint_t) {
    of(line).broken_off = true;
    return CC_EOF;
  }
  History* history;
  EditLine* line;
  bool more = false, broken_off = false;
};

LineInput::LineInput() {
  if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) return;
  use_utf8();
  editor_ = std::make_unique<Editor>();
}

LineInput::~LineInput() = default;

std::optional<std::string> LineInput::line(bool more) {
  if (!editor_) {
    std::string text;
    if (!std::getline(std::cin, text)) return std::nullopt;
    if (text.ends_with('\r')) text.pop_back();
    return text;
  }
  editor_->more = more;
  editor_->broken_off = false;
  el_set(editor_->line, EL_PREP_TERM, 1);  // before the prompt invites to type
  int count = 0;
  const char* read = el_gets(editor_->line, &count);
  if (!read || count <= 0) {
    std::puts(editor_->broken_off ? "^C" : "");
    return std::nullopt;
  }
  std::string text(read, static_cast<size_t>(count));
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  HistEvent event;
  if (!text.empty()) history(editor_->history, &event, H_ENTER, text.c_str());
  return text;
}

std::optional<LineInput::Message> LineInput::message() {
  std::optional<std::string> next = line(false);
  std::string text;
  const bool fenced = next && next->starts_with(kFence);
  if (fenced) next->erase(0, kFence.size());
  while (next) {
    text += *next;
    if (fenced && text.ends_with(kFence)) return Message{text.substr(0, text.size() - kFence.size()), true};
    if (!fenced && !text.ends_with('\\')) return Message{text};
    if (!fenced) text.pop_back();
    text += '\n';
    next = line(true);
  }
  if (editor_ && editor_->broken_off) return Message{};
  if (text.empty()) return std::nullopt;
  text.pop_back();  // the end of input ends the message too
  return Message{text, fenced};
}

}  // namespace suiren::cli
