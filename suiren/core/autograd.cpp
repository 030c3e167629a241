#include "suiren/core/autograd.h"

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "suiren/core/dispatch.h"
#include "suiren/core/record.h"

namespace suiren {
namespace {

thread_local bool grad_mode = true;
std::atomic<uint64_t> next_sequence{1};

struct State {
  std::vector<Tensor> grads;  // one for each output; undefined until something arrives
  int consumers = 0;          // edges that lead here, and outputs of the pass
  bool needed = false;        // an input of the pass can be reached from here
};
using States = std::unordered_map<Node*, State>;

}  // namespace

/// The sums of accumulate_gradients, during one pass.
class GradientSums {
 public:
  GradientSums(const States& states, const Tensors& leaves, const Tensors& sums) : states_(states) {
    for (size_t i = 0; i < leaves.size(); ++i) {
      const auto [at, first] = of_leaf_.try_emplace(leaves[i].node().get(), sums[i]);
      if (!first) at->second = Tensor();  // asked for twice
    }
  }
  /// The sum of what flows along an edge that alone leads to a leaf, straight or through views that hold all
  /// its elements: with a second consumer the gradients are added to each other first, as in any other pass.
  Tensor find(const Edge& e) const {
    const auto state = states_.find(e.node.get());
    if (state == states_.end() || state->second.consumers != 1) return {};
    const Node& n = *e.node;
    if (!n.op && !n.custom) {
      const auto leaf = of_leaf_.find(e.node.get());
      return leaf == of_leaf_.end() ? Tensor() : leaf->second;
    }
    if (!n.op || n.op->kind != OpKind::kView || n.edges.size() != 1 || !n.edges[0].node ||
        n.in_specs[0].shape.numel() != n.out_specs[0].shape.numel())
      return {};
    const Tensor sum = find(n.edges[0]);
    const auto view = sum.defined() ? n.op->view(n.attrs.get(), sum) : std::nullopt;
    return view ? sum.alias(view->shape, view->strides, view->offset) : Tensor();
  }

 private:
  const States& states_;
  std::unordered_map<const Node*, Tensor> of_leaf_;
};

namespace {

// Every node under the outputs, latest recorded first. A consumer is always recorded after its producer.
std::vector<std::shared_ptr<Node>> nodes_under(const Tensors& outputs, States& states) {
  std::vector<std::shared_ptr<Node>> order, stack;
  const auto visit = [&](const std::shared_ptr<Node>& n) {
    if (!n) return;
    const auto [state, is_new] = states.try_emplace(n.get());
    ++state->second.consumers;
    if (!is_new) return;
    state->second.grads.resize(n->out_specs.size());
    stack.push_back(n);
  };
  for (const Tensor& t : outputs) visit(t.node());
  while (!stack.empty()) {
    const std::shared_ptr<Node> n = stack.back();
    stack.pop_back();
    order.push_back(n);
    for (const Edge& e : n->edges) visit(e.node);
  }
  std::sort(order.begin(), order.end(),
            [](const auto& a, const auto& b) { return a->sequence > b->sequence; });
  return order;
}

Tensor add(const Tensor& a, const Tensor& b) {
  static const OpInfo& op = find_op("add");
  const NoAttrs none;
  const Tensor in[] = {a, b};
  return run_op(op, &none, in)[0];
}

void check_grad_shape(const Node& n, size_t input, const Tensor& g) {
  SR_CHECK_AS(kInternal, g.shape() == n.in_specs[input].shape && g.dtype() == n.in_specs[input].dtype,
              "gradient of input {} of {} is {} {}, expected {} {}", input, n.op ? n.op->name : "recompute",
              g.dtype(), g.shape(), n.in_specs[input].dtype, n.in_specs[input].shape);
}

// Calls the rule of one node and hands its gradients to the producers of its inputs.
void propagate(Node& n, State& state, States& states, const GradientSums* sums) {
  for (size_t o = 0; o < state.grads.size(); ++o)
    if (!state.grads[o].defined()) state.grads[o] = Tensor::zeros(n.out_specs[o]);
  SR_CHECK_AS(kInvalid, !n.released,
              "the graph was freed by an earlier backward pass; ask that pass for retain_graph");
  const Grads grads = n.custom ? n.custom(state.grads) : n.op->vjp(n.attrs.get(), Vjp(n, state.grads, sums));
  SR_CHECK_AS(kInternal, grads.size() == n.edges.size(), "{} returned {} gradients for {} inputs",
              n.op ? n.op->name : "recompute", grads.size(), n.edges.size());
  for (size_t i = 0; i < grads.size(); ++i) {
    const Edge& e = n.edges[i];
    if (!e.node || !grads[i].defined()) continue;
    const auto target = states.find(e.node.get());
    if (target == states.end() || !target->second.needed) continue;
    check_grad_shape(n, i, grads[i]);
    Tensor& sum = target->second.grads[static_cast<size_t>(e.output)];
    sum = sum.defined() ? add(sum, grads[i]) : grads[i];
  }
}

void seed(const Tensors& outputs, const Tensors& output_grads, States& states) {
  SR_CHECK(output_grads.empty() || output_grads.size() == outputs.size(),
           "{} output gradients for {} outputs", output_grads.size(), outputs.size());
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Tensor& y = outputs[i];
    if (!y.requires_grad()) continue;
    Tensor g;
    if (!output_grads.empty()) {
      g = output_grads[i];
      SR_CHECK_AS(kShape, g.shape() == y.shape() && g.dtype() == y.dtype(),
                  "output gradient {} is {} {}, expected {} {}", i, g.dtype(), g.shape(), y.dtype(),
                  y.shape());
    } else {
      SR_CHECK_AS(kShape, y.numel() == 1, "output {} has shape {}; only a scalar needs no output gradient", i,
                  y.shape());
      g = from_host_array({y.dtype(), y.shape(), {1}}, y.device());
    }
    Tensor& sum = states[y.node().get()].grads[static_cast<size_t>(y.node_output())];
    sum = sum.defined() ? add(sum, g) : g;
  }
}

// Runs the pass; calls done(i, gradient) for inputs[i] once its gradient is final (undefined: zero). With
// `stop_at_inputs` inputs are taken as independent of each other: no gradient passes through one to another.
// A rule may add to `sums`, one for each input, instead.
template <class Done>
void backward(const Tensors& outputs, const Tensors& inputs, const Tensors& output_grads,
              GradientOptions options, Done done, bool stop_at_inputs = false,
              const Tensors* into = nullptr) {
  States states;
  const auto order = nodes_under(outputs, states);
  const GradMode mode(options.create_graph);
  std::unordered_map<Node*, std::vector<size_t>> targets;
  for (size_t i = 0; i < inputs.size(); ++i) {
    SR_CHECK(inputs[i].requires_grad(),
             "input {} of gradients() does not require a gradient; call set_requires_grad() on it", i);
    targets[inputs[i].node().get()].push_back(i);
  }
  for (auto n = order.rbegin(); n != order.rend(); ++n) {
    State& s = states[n->get()];
    s.needed = targets.count(n->get()) > 0;
    for (const Edge& e : (*n)->edges) s.needed = s.needed || (e.node && states[e.node.get()].needed);
  }
  std::optional<GradientSums> sums;
  if (into) sums.emplace(states, inputs, *into);
  seed(outputs, output_grads, states);
  std::vector<bool> arrived(inputs.size(), false);
  for (const auto& n : order) {
    State& s = states[n.get()];
    const bool reached =
        std::any_of(s.grads.begin(), s.grads.end(), [](const Tensor& g) { return g.defined(); });
    if (!s.needed || !reached) continue;
    const auto t = targets.find(n.get());
    if (t != targets.end())
      for (size_t i : t->second) {
        done(i, s.grads[static_cast<size_t>(inputs[i].node_output())]);
        arrived[i] = true;
      }
    const bool stop = stop_at_inputs && t != targets.end();
    const bool deeper = !stop && std::any_of(n->edges.begin(), n->edges.end(), [&](const Edge& e) {
      return e.node && states[e.node.get()].needed;
    });
    if (deeper) propagate(*n, s, states, sums ? &*sums : nullptr);
    s.grads.clear();
    if (deeper && !options.retain_graph && !options.create_graph) {
      n->inputs.clear();
      n->outputs.clear();
      n->custom = nullptr;
      n->released = true;
    }
  }
  for (size_t i = 0; i < inputs.size(); ++i)
    if (!arrived[i]) done(i, Tensor());
}

}  // namespace

bool grad_enabled() { return grad_mode; }
GradMode::GradMode(bool enabled) : before_(grad_mode) { grad_mode = enabled; }
GradMode::~GradMode() { grad_mode = before_; }

Node::Node() : sequence(next_sequence++) {}

Node::~Node() {
  // A chain of a million nodes must not be a million stack frames: producers are freed from a list.
  thread_local std::vector<std::shared_ptr<Node>> pending;
  thread_local bool draining = false;
  for (Edge& e : edges)
    if (e.node) pending.push_back(std::move(e.node));
  if (draining) return;
  draining = true;
  while (!pending.empty()) {
    const std::shared_ptr<Node> n = std::move(pending.back());
    pending.pop_back();
  }
  draining = false;
}

SavedTensor save(const Tensor& t) { return {t.detach(), t.storage()->version()}; }

Tensor unsave(const SavedTensor& s, const Edge& history, const char* op) {
  SR_CHECK_AS(kInternal, s.value.defined(),
              "the gradient of {} reads a tensor that it did not ask the tape to save", op);
  SR_CHECK(s.version == s.value.storage()->version(),
           "the gradient of {} needs a tensor of shape {} that was written in place after its use; write to "
           "a copy",
           op, s.value.shape());
  Tensor t = s.value.detach();
  if (grad_enabled() && history.node) t.set_node(history.node, history.output);
  return t;
}

Tensor Vjp::in(int i) const {
  const auto n = static_cast<size_t>(i);
  return unsave(node_.inputs.at(n), node_.edges[n], node_.op->name);
}
Tensor Vjp::out(int i) const {
  return unsave(node_.outputs.at(static_cast<size_t>(i)), {node_.shared_from_this(), i}, node_.op->name);
}
const TensorSpec& Vjp::in_spec(int i) const { return node_.in_specs[static_cast<size_t>(i)]; }
int Vjp::inputs() const { return static_cast<int>(node_.in_specs.size()); }
bool Vjp::needs(int i) const { return node_.edges[static_cast<size_t>(i)].node != nullptr; }
Tensor Vjp::sum(int i) const { return sums_ ? sums_->find(node_.edges[static_cast<size_t>(i)]) : Tensor(); }

Tensors gradients(const Tensors& outputs, const Tensors& inputs, const Tensors& output_grads,
                  GradientOptions options) {
  Tensors result(inputs.size());
  backward(outputs, inputs, output_grads, options,
           [&](size_t i, const Tensor& g) { result[i] = g.defined() ? g : Tensor::zeros(inputs[i].spec()); });
  return result;
}

namespace {

// A rule may hand one gradient to several inputs, or a view of something. A sum is written in place later, so
// it takes a gradient over only when nobody else can read it.
Tensor own(const Tensor& g, const Tensors& sums) {
  bool shared = g.storage().use_count() > 1 || !g.is_contiguous();
  for (const Tensor& s : sums) shared = shared || (s.defined() && s.storage() == g.storage());
  if (!shared) return g;
  static const OpInfo& copy = find_op("copy");
  const NoAttrs none;
  return run_op(copy, &none, {&g, 1})[0];
}

}  // namespace

void accumulate_gradients(const Tensor& output, const Tensors& inputs, Tensors& sums,
                          const Tensor& output_grad) {
  static const OpInfo& accumulate = find_op("accumulate");
  sums.resize(inputs.size());
  const auto add = [&](size_t i, const Tensor& g) {
    if (!g.defined()) return;
    if (!sums[i].defined()) {
      sums[i] = own(g, sums);
      return;
    }
    const NoAttrs none;
    const Tensor in[] = {sums[i], g};
    run_op(accumulate, &none, in);
  };
  backward({output}, inputs, output_grad.defined() ? Tensors{output_grad} : Tensors{}, {}, add, false, &sums);
}

Tensors replay_gradients(const std::function<Tensors(const Tensors&)>& f, const Tensors& inputs,
                         const std::vector<Edge>& edges, std::span<const Tensor> grads) {
  const bool create_graph = grad_enabled();
  const GradMode record(true);
  Tensors again, wanted;
  for (size_t i = 0; i < inputs.size(); ++i) {
    Tensor t = inputs[i].detach();
    // Leaves keep their identity, so that f may reach a parameter through its module as well.
    const bool leaf = edges[i].node && !edges[i].node->op && !edges[i].node->custom;
    if (edges[i].node && (leaf || create_graph))
      t.set_node(edges[i].node, edges[i].output);
    else if (edges[i].node)
      t.set_requires_grad();
    again.push_back(t);
    if (edges[i].node) wanted.push_back(t);
  }
  // An input may come from another one outside of f; that path belongs to the pass that called this.
  Tensors found(wanted.size()), result(inputs.size());
  backward(
      f(again), wanted, Tensors(grads.begin(), grads.end()), {.create_graph = create_graph},
      [&](size_t i, const Tensor& g) { found[i] = g; }, true);
  size_t next = 0;
  for (size_t i = 0; i < inputs.size(); ++i)
    if (edges[i].node) result[i] = found[next++];
  return result;
}

Tensors recompute(const std::function<Tensors(const Tensors&)>& f, const Tensors& inputs) {
  const bool wanted =
      std::any_of(inputs.begin(), inputs.end(), [](const Tensor& t) { return t.requires_grad(); });
  if (!grad_enabled() || !wanted) return f(inputs);
  Tensors outputs;
  {
    const NoGrad off;
    outputs = f(inputs);
    for (Tensor& t : outputs) t = t.detach();
  }
  auto node = std::make_shared<Node>();
  std::vector<SavedTensor> kept;
  for (const Tensor& t : inputs) {
    node->edges.push_back({t.node(), t.node() ? t.node_output() : 0});
    node->in_specs.push_back(t.spec());
    kept.push_back(save(t));
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    node->out_specs.push_back(outputs[i].spec());
    if (outputs[i].dtype().is_floating()) outputs[i].set_node(node, static_cast<int>(i));
  }
  // The node owns its edges alone: a copy here would free long chains recursively.
  node->custom = [f, kept, n = node.get()](std::span<const Tensor> grads) {
    Tensors in;
    for (const SavedTensor& s : kept) in.push_back(unsave(s, {}, "recompute"));
    return replay_gradients(f, in, n->edges, grads);
  };
  return outputs;
}

}  // namespace suiren
