#include "cover/cover.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace kw::codegen {
namespace {

/// A cover of stages [0, i], as a step back from i.
struct Partial {
  double cost_us = 0;
  Piece piece;
  std::size_t previous = 0;  // rank of the partial cover that ends before the piece
};

void keep_cheapest(std::vector<Partial>& partials, std::size_t count) {
  std::stable_sort(partials.begin(), partials.end(),
                   [](const Partial& a, const Partial& b) { return a.cost_us < b.cost_us; });
  if (partials.size() > count) partials.resize(count);
}

std::vector<int> cuts_of(const Cover& cover) {
  std::vector<int> cuts;
  for (const Piece& piece : cover.pieces) cuts.push_back(piece.last);
  return cuts;
}

/// Whether every cut of `coarse` is one of `fine` too.
bool refines(const Cover& fine, const Cover& coarse) {
  const std::vector<int> inner = cuts_of(fine), outer = cuts_of(coarse);
  return std::includes(inner.begin(), inner.end(), outer.begin(), outer.end());
}

std::vector<Piece> pieces_of(Program& program, const Target& target, int first, int last) {
  std::vector<Piece> pieces;
  const Region region = make_region(program, first, last);
  if (first != last && gathers_inside(program, region)) return pieces;
  for (const Skeleton* skeleton : all_skeletons()) {
    if (skeleton == &fallback_skeleton() && !pieces.empty()) continue;
    for (Offer& offer : skeleton->match(program, region, target)) {
      pieces.push_back({skeleton, std::move(offer.form), first, last, offer.cost_us});
    }
  }
  return pieces;
}

Result<int> number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return fail(Errc::InvalidArgument, "cover: '{}' is no stage number", text);
  }
  return value;
}

Result<Piece> parse_piece(Program& program, const Target& target, std::string_view text) {
  const std::size_t colon = text.find(':'), open = text.find('['), dash = text.find('-', open),
                    close = text.find(']', dash);
  if (colon == std::string_view::npos || close == std::string_view::npos || colon > open) {
    return fail(Errc::InvalidArgument, "cover: '{}' is not skeleton:form[first-last]", text);
  }
  KW_ASSIGN(const int first, number(text.substr(open + 1, dash - open - 1)));
  KW_ASSIGN(const int last, number(text.substr(dash + 1, close - dash - 1)));
  const std::string_view name = text.substr(0, colon),
                         form = text.substr(colon + 1, open - colon - 1);
  if (first < 0 || last < first || last >= static_cast<int>(program.stages.size())) {
    return fail(Errc::InvalidArgument, "cover: '{}' names stages the task does not have", text);
  }
  for (const Skeleton* skeleton : all_skeletons()) {
    if (skeleton->name() != name) continue;
    for (const Offer& offer : skeleton->match(program, make_region(program, first, last), target)) {
      if (offer.form == form) return Piece{skeleton, offer.form, first, last, offer.cost_us};
    }
  }
  return fail(Errc::InvalidArgument, "cover: no skeleton offers '{}' for this task and device",
              text);
}

}  // namespace

std::string Cover::text() const {
  std::string out;
  for (const Piece& piece : pieces) {
    out += fmt::format("{}{}:{}[{}-{}]", out.empty() ? "" : "+", piece.skeleton->name(), piece.form,
                       piece.first, piece.last);
  }
  return out;
}

std::vector<Cover> best_covers(Program& program, const Target& target, int count) {
  const std::size_t n = program.stages.size();
  // More than asked for: covers that only cut a better one into pieces are left out at the end.
  const auto keep = static_cast<std::size_t>(std::max(4 * count, 1));
  std::vector<std::vector<Partial>> best(n + 1);
  best[0].push_back({});
  for (std::size_t end = 1; end <= n; ++end) {
    const int last = static_cast<int>(end) - 1;
    for (int first = last; first >= 0 && last - first < kLongestRegion; --first) {
      for (const Piece& piece : pieces_of(program, target, first, last)) {
        const auto& before = best[static_cast<std::size_t>(first)];
        for (std::size_t rank = 0; rank < before.size(); ++rank) {
          best[end].push_back({before[rank].cost_us + piece.cost_us, piece, rank});
        }
      }
    }
    keep_cheapest(best[end], keep);
  }
  std::vector<Cover> covers;
  for (const Partial& whole : best[n]) {
    Cover cover;
    cover.cost_us = whole.cost_us;
    const Partial* step = &whole;
    for (std::size_t at = n; at > 0;) {
      cover.pieces.push_back(step->piece);
      at = static_cast<std::size_t>(step->piece.first);
      step = &best[at][step->previous];
    }
    std::reverse(cover.pieces.begin(), cover.pieces.end());
    const bool only_cuts = std::any_of(covers.begin(), covers.end(), [&](const Cover& better) {
      return better.pieces.size() < cover.pieces.size() && refines(cover, better);
    });
    if (!only_cuts && covers.size() < static_cast<std::size_t>(std::max(count, 1))) {
      covers.push_back(std::move(cover));
    }
  }
  return covers;
}

Cover fallback_cover(Program& program, const Target& target) {
  Cover cover;
  for (int s = 0; s < static_cast<int>(program.stages.size()); ++s) {
    // Stages that are no loop nest have one skeleton, which is as plain.
    for (const Skeleton* skeleton :
         {&recurrence_skeleton(), &join_skeleton(), &fallback_skeleton()}) {
      const auto offers = skeleton->match(program, make_region(program, s, s), target);
      if (offers.empty()) continue;
      cover.pieces.push_back({skeleton, offers.front().form, s, s, offers.front().cost_us});
      cover.cost_us += offers.front().cost_us;
      break;
    }
  }
  return cover;
}

Result<Cover> parse_cover(Program& program, const Target& target, std::string_view text) {
  Cover cover;
  while (!text.empty()) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) {
      return fail(Errc::InvalidArgument, "cover: '{}' does not end in ']'", text);
    }
    KW_ASSIGN(Piece piece, parse_piece(program, target, text.substr(0, end + 1)));
    const int expected = cover.pieces.empty() ? 0 : cover.pieces.back().last + 1;
    if (piece.first != expected) {
      return fail(Errc::InvalidArgument, "cover: stage {} where {} comes next", piece.first,
                  expected);
    }
    cover.cost_us += piece.cost_us;
    cover.pieces.push_back(std::move(piece));
    text.remove_prefix(end + 1);
    if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  }
  if (cover.pieces.empty() ||
      cover.pieces.back().last + 1 != static_cast<int>(program.stages.size())) {
    return fail(Errc::InvalidArgument, "cover: it does not hold every stage of the task");
  }
  return cover;
}

}  // namespace kw::codegen
