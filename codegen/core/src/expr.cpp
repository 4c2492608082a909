#include "kw/core/expr.h"

#include <algorithm>
#include <array>
#include <bit>
#include <optional>

namespace kw {

enum class ExprOp {
  Literal,
  Name,
  Negate,
  Not,
  Add,
  Sub,
  Mul,
  Div,
  Mod,
  Eq,
  Ne,
  Lt,
  Le,
  Gt,
  Ge,
  And,
  Or,
  CeilDiv,
  RoundUp,
  Min,
  Max,
  Pow2Ceil,
  Log2,
  Select
};

struct Expr::Tree {
  ExprOp op = ExprOp::Literal;
  std::int64_t literal = 0;
  std::string name;
  std::vector<std::shared_ptr<const Tree>> children;
};

namespace {

using Tree = Expr::Tree;
using TreePtr = std::shared_ptr<const Tree>;

struct Function {
  std::string_view name;
  ExprOp op;
  std::size_t min_args, max_args;
};
constexpr std::array<Function, 7> kFunctions{{{"ceil_div", ExprOp::CeilDiv, 2, 2},
                                              {"round_up", ExprOp::RoundUp, 2, 2},
                                              {"min", ExprOp::Min, 1, 16},
                                              {"max", ExprOp::Max, 1, 16},
                                              {"pow2_ceil", ExprOp::Pow2Ceil, 1, 1},
                                              {"log2", ExprOp::Log2, 1, 1},
                                              {"select", ExprOp::Select, 3, 3}}};

struct Infix {
  std::string_view token;
  ExprOp op;
  int precedence;
};
// Longer tokens first, so that "<=" is not read as "<".
constexpr std::array<Infix, 13> kInfix{{{"||", ExprOp::Or, 1},
                                        {"&&", ExprOp::And, 2},
                                        {"==", ExprOp::Eq, 3},
                                        {"!=", ExprOp::Ne, 3},
                                        {"<=", ExprOp::Le, 4},
                                        {">=", ExprOp::Ge, 4},
                                        {"<", ExprOp::Lt, 4},
                                        {">", ExprOp::Gt, 4},
                                        {"+", ExprOp::Add, 5},
                                        {"-", ExprOp::Sub, 5},
                                        {"*", ExprOp::Mul, 6},
                                        {"/", ExprOp::Div, 6},
                                        {"%", ExprOp::Mod, 6}}};

bool name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool digit(char c) { return c >= '0' && c <= '9'; }

TreePtr make(ExprOp op, std::vector<TreePtr> children) {
  return std::make_shared<const Tree>(Tree{op, 0, {}, std::move(children)});
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<TreePtr> whole() {
    KW_ASSIGN(TreePtr tree, binary(1, 0));
    skip();
    if (at_ != text_.size()) return error("unexpected text");
    return tree;
  }

 private:
  tl::unexpected<Error> error(std::string_view what) const {
    return fail(Errc::InvalidArgument, "expression '{}': {} at offset {}", text_, what, at_);
  }
  void skip() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }
  bool take(std::string_view token) {
    skip();
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  std::optional<Infix> peek_infix() {
    skip();
    for (const Infix& infix : kInfix) {
      if (text_.substr(at_).starts_with(infix.token)) return infix;
    }
    return std::nullopt;
  }

  Result<TreePtr> binary(int precedence, int depth) {
    if (depth > kMaxExprDepth) return error("nested too deeply");
    KW_ASSIGN(TreePtr left, unary(depth + 1));
    for (int length = 0;; ++length) {
      const auto infix = peek_infix();
      if (!infix || infix->precedence < precedence) return left;
      if (length > 64) return error("too many operators");
      at_ += infix->token.size();
      KW_ASSIGN(TreePtr right, binary(infix->precedence + 1, depth + 1));
      left = make(infix->op, {left, right});
    }
  }

  Result<TreePtr> unary(int depth) {
    if (depth > kMaxExprDepth) return error("nested too deeply");
    if (take("-")) {
      KW_ASSIGN(TreePtr operand, unary(depth + 1));
      return make(ExprOp::Negate, {operand});
    }
    skip();
    if (text_.substr(at_).starts_with("!") && !text_.substr(at_).starts_with("!=")) {
      ++at_;
      KW_ASSIGN(TreePtr operand, unary(depth + 1));
      return make(ExprOp::Not, {operand});
    }
    return primary(depth);
  }

  Result<TreePtr> primary(int depth) {
    if (take("(")) {
      KW_ASSIGN(TreePtr inner, binary(1, depth + 1));
      if (!take(")")) return error("')' expected");
      return inner;
    }
    skip();
    if (at_ < text_.size() && digit(text_[at_])) return literal();
    if (at_ < text_.size() && name_start(text_[at_])) return name_or_call(depth);
    return error("operand expected");
  }

  Result<TreePtr> literal() {
    std::int64_t value = 0;
    for (; at_ < text_.size() && digit(text_[at_]); ++at_) {
      if (__builtin_mul_overflow(value, 10, &value) ||
          __builtin_add_overflow(value, text_[at_] - '0', &value)) {
        return error("number does not fit in 64 bits");
      }
    }
    return std::make_shared<const Tree>(Tree{ExprOp::Literal, value, {}, {}});
  }

  Result<TreePtr> name_or_call(int depth) {
    const std::size_t start = at_;
    while (at_ < text_.size() && (name_start(text_[at_]) || digit(text_[at_]) || text_[at_] == '.'))
      ++at_;
    const std::string name(text_.substr(start, at_ - start));
    if (!take("(")) return std::make_shared<const Tree>(Tree{ExprOp::Name, 0, name, {}});
    const auto* function = std::find_if(kFunctions.begin(), kFunctions.end(),
                                        [&](const Function& f) { return f.name == name; });
    if (function == kFunctions.end()) return error(fmt::format("no function '{}'", name));
    std::vector<TreePtr> args;
    do {
      KW_ASSIGN(TreePtr arg, binary(1, depth + 1));
      args.push_back(std::move(arg));
    } while (args.size() <= function->max_args && take(","));
    if (!take(")")) return error("')' or ',' expected");
    if (args.size() < function->min_args || args.size() > function->max_args) {
      return error(fmt::format("wrong number of arguments for {}", name));
    }
    return make(function->op, std::move(args));
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

using Value = std::optional<std::int64_t>;  // empty: overflow or division by zero

// By reference: the overflow builtin writes `value` while the other argument is evaluated.
Value checked(bool overflow, const std::int64_t& value) { return overflow ? Value{} : Value{value}; }

Value ceil_div(std::int64_t a, std::int64_t b) {
  if (b <= 0) return {};
  return a / b + (a % b > 0 ? 1 : 0);
}

Value compute(ExprOp op, const std::vector<std::int64_t>& v) {
  std::int64_t r = 0;
  switch (op) {
    case ExprOp::Negate:
      return checked(__builtin_sub_overflow(std::int64_t{0}, v[0], &r), r);
    case ExprOp::Not:
      return v[0] == 0;
    case ExprOp::Add:
      return checked(__builtin_add_overflow(v[0], v[1], &r), r);
    case ExprOp::Sub:
      return checked(__builtin_sub_overflow(v[0], v[1], &r), r);
    case ExprOp::Mul:
      return checked(__builtin_mul_overflow(v[0], v[1], &r), r);
    case ExprOp::Div:
      return v[1] == 0 || (v[0] == INT64_MIN && v[1] == -1) ? Value{} : Value{v[0] / v[1]};
    case ExprOp::Mod:
      return v[1] == 0 || v[1] == -1 ? (v[1] == 0 ? Value{} : Value{0}) : Value{v[0] % v[1]};
    case ExprOp::Eq:
      return v[0] == v[1];
    case ExprOp::Ne:
      return v[0] != v[1];
    case ExprOp::Lt:
      return v[0] < v[1];
    case ExprOp::Le:
      return v[0] <= v[1];
    case ExprOp::Gt:
      return v[0] > v[1];
    case ExprOp::Ge:
      return v[0] >= v[1];
    case ExprOp::And:
      return v[0] != 0 && v[1] != 0;
    case ExprOp::Or:
      return v[0] != 0 || v[1] != 0;
    case ExprOp::CeilDiv:
      return ceil_div(v[0], v[1]);
    case ExprOp::RoundUp: {
      const Value q = ceil_div(v[0], v[1]);
      return q ? checked(__builtin_mul_overflow(*q, v[1], &r), r) : Value{};
    }
    case ExprOp::Min:
      return *std::min_element(v.begin(), v.end());
    case ExprOp::Max:
      return *std::max_element(v.begin(), v.end());
    case ExprOp::Pow2Ceil:
      if (v[0] < 1 || v[0] > (std::int64_t{1} << 62)) return {};
      return static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(v[0])));
    case ExprOp::Log2:
      if (v[0] < 1) return {};
      return std::bit_width(static_cast<std::uint64_t>(v[0])) - 1;
    case ExprOp::Select:
      return v[0] != 0 ? v[1] : v[2];
    case ExprOp::Literal:
    case ExprOp::Name:
      break;
  }
  return {};
}

Result<std::int64_t> eval_tree(const Tree& tree, const Symbols& symbols, const std::string& text) {
  if (tree.op == ExprOp::Literal) return tree.literal;
  if (tree.op == ExprOp::Name) {
    const auto it = symbols.find(tree.name);
    if (it == symbols.end())
      return fail(Errc::InvalidArgument, "expression '{}': unknown name '{}'", text, tree.name);
    return it->second;
  }
  std::vector<std::int64_t> values;
  values.reserve(tree.children.size());
  for (const TreePtr& child : tree.children) {
    KW_ASSIGN(const std::int64_t value, eval_tree(*child, symbols, text));
    values.push_back(value);
  }
  if (const Value result = compute(tree.op, values)) return *result;
  return fail(Errc::InvalidArgument, "expression '{}': overflow or division by zero", text);
}

void collect(const Tree& tree, std::vector<std::string>& names) {
  if (tree.op == ExprOp::Name && std::find(names.begin(), names.end(), tree.name) == names.end()) {
    names.push_back(tree.name);
  }
  for (const TreePtr& child : tree.children) collect(*child, names);
}

}  // namespace

Expr::Expr() : Expr(0) {}

Expr::Expr(std::int64_t literal)
    : text_(std::make_shared<const std::string>(std::to_string(literal))),
      tree_(std::make_shared<const Tree>(Tree{ExprOp::Literal, literal, {}, {}})) {}

Result<Expr> Expr::parse(std::string_view text) {
  if (text.size() > kMaxExprBytes) {
    return fail(Errc::InvalidArgument, "expression of {} bytes is longer than {}", text.size(),
                kMaxExprBytes);
  }
  KW_ASSIGN(TreePtr tree, Parser(text).whole());
  Expr expr;
  expr.text_ = std::make_shared<const std::string>(text);
  expr.tree_ = std::move(tree);
  return expr;
}

Result<std::int64_t> Expr::eval(const Symbols& symbols) const {
  return eval_tree(*tree_, symbols, *text_);
}

std::vector<std::string> Expr::names() const {
  std::vector<std::string> names;
  collect(*tree_, names);
  return names;
}

}  // namespace kw
