#include "suiren/bench/peer.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "suiren/base/error.h"

namespace suiren::bench {

Peer::Peer(const std::string& python, const std::string& script, int threads)
    : python_(python), script_(script), threads_(threads) {
  SR_CHECK_AS(kNotFound, std::filesystem::exists(script),
              "--peer: {} is absent; run this in a folder with the sources", script);
  start();
}

void Peer::start() {
  child_.reset();  // the old one's end comes first
  child_ = std::make_unique<Child>(
      std::vector<std::string>{python_, script_, "--threads", std::to_string(threads_)});
  name_ = io::json_string(answer(), "peer", "the peer's first line");
  fresh_ = true;
}

void Peer::restart() {
  if (!fresh_) start();
}

io::Json Peer::answer() {
  const auto line = child_->read_line();
  SR_CHECK(line, "the peer ({} {}) ended without an answer; its own message stands above", python_, script_);
  return io::parse_json(*line, "the peer's answer");
}

io::Json Peer::measure(const io::Json& figure, double seconds) {
  io::Json question = figure;
  question["seconds"] = seconds;
  child_->write_line(question.dump());
  fresh_ = false;
  io::Json reply = answer();
  if (!reply.contains("error")) io::json_number(reply, "seconds", "the peer's answer");
  return reply;
}

}  // namespace suiren::bench
